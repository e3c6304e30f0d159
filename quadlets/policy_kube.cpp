#include "quadlets/policy_kube.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "backend/base/text.h"
#include "quadlets/policy_lines.h"
#include "quadlets/policy_values.h"

namespace leger {
namespace {

struct Word {
  std::string_view text;  // in lower case
  PolicyLevel level;
  std::string_view rule;
};

constexpr std::array kWords = {
    Word{"hostpath", PolicyLevel::denied, "host-path"},
    Word{"hostpid", PolicyLevel::denied, "host-pid"},
    Word{"hostipc", PolicyLevel::denied, "host-ipc"},
    Word{"hostusers", PolicyLevel::flagged, "user-mapping"},
    Word{"hostnetwork", PolicyLevel::flagged, "host-network"},
    Word{"hostport", PolicyLevel::flagged, "publish"},
    Word{"privileged", PolicyLevel::denied, "privileged"},
    Word{"procmount", PolicyLevel::denied, "unmask"},
    Word{"unconfined", PolicyLevel::denied, "seccomp-unconfined"},
    Word{"localhostprofile", PolicyLevel::flagged, "seccomp-profile"},
    Word{"capabilities", PolicyLevel::flagged, "add-capability"},
    Word{"selinuxoptions", PolicyLevel::flagged, "security-label"},
    Word{"io.podman.annotations", PolicyLevel::denied, "annotation"},
    Word{"run.oci.", PolicyLevel::denied, "annotation"},
    Word{"volume.podman.io", PolicyLevel::denied, "driver"},
    Word{"io.containers.autoupdate", PolicyLevel::flagged, "auto-update"},
    Word{"podman.io/device", PolicyLevel::flagged, "device"},
};

// As YAML 1.1 has them.
constexpr std::array<std::string_view, 5> kLineBreaks = {"\n", "\r", "\u0085", "\u2028", "\u2029"};
constexpr std::string_view kByteOrderMark = "\ufeff";
constexpr std::string_view kBeforeToken = " \t[{,-:?";
// Go's JSON decoder takes them for an s and a k in a field's name.
constexpr std::array<std::string_view, 2> kFoldedLetters = {"\u017f", "\u212a"};

bool begins_line(std::string_view text, std::size_t at) {
  std::string_view before = text.substr(0, at);
  while (before.ends_with(kByteOrderMark)) before.remove_suffix(kByteOrderMark.size());
  return before.empty() ||
         std::ranges::any_of(kLineBreaks, [before](std::string_view line) { return before.ends_with(line); });
}

// A directive (%TAG gives tags another name), or a tag, which only begins a token: !!binary has a word in base64.
bool has_tags(std::string_view text) {
  for (std::size_t at = text.find_first_of("%!"); at != std::string_view::npos; at = text.find_first_of("%!", at + 1)) {
    if (begins_line(text, at)) return true;
    if (text[at] == '!' && kBeforeToken.contains(text[at - 1])) return true;
  }
  return false;
}

// Ways to write a word so that its letters do not stand in the text: escapes, continued quotes, tags, other letters and
// encodings.
bool can_hide_words(std::string_view text) {
  return !is_utf8(text) || text.contains('\0') || text.contains('\\') || has_tags(text) ||
         std::ranges::any_of(kFoldedLetters, [text](std::string_view letter) { return text.contains(letter); });
}

void judge_images(PolicyContext& context, std::string_view text) {
  for (std::string_view line : split(text, '\n')) {
    const std::size_t key = line.find("image:");
    if (key == std::string_view::npos) continue;
    line.remove_prefix(key + 6);
    const std::size_t first = line.find_first_not_of(" \t\"'");
    if (first == std::string_view::npos) continue;
    line.remove_prefix(first);
    judge_image(context, std::string(line.substr(0, line.find_first_of(" \t\"'\r,}#"))));
  }
}

}  // namespace

void judge_kube_file(PolicyContext& context, const std::string& path) {
  const auto inside = path_in_app(normal_path(path), context.places());
  if (has_unknown(path) || !path.starts_with('/') || !inside) {
    return context.deny("kube-file", path + " is no file of the app");
  }
  const auto file = context.places().files.find(*inside);
  if (file == context.places().files.end()) return context.deny("kube-file", *inside + " is not in the app's folder");
  context.flag("kube", *inside + " describes pods in YAML, of which only words that reach the host are looked for");
  if (can_hide_words(file->second)) {
    context.deny("kube-file", *inside + " has escapes, tags, directives or letters that could hide what it asks for");
  }
  const std::string lower = ascii_lower(file->second);
  for (const Word& word : kWords) {
    if (lower.contains(word.text)) context.add(word.level, word.rule, *inside + " has " + std::string(word.text));
  }
  judge_images(context, file->second);
}

}  // namespace leger
