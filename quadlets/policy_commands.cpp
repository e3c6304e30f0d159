#include "quadlets/policy_commands.h"

#include <algorithm>
#include <array>
#include <span>

#include "backend/base/text.h"
#include "quadlets/policy_kube.h"
#include "quadlets/policy_values.h"

namespace leger {
namespace {

struct Shape {
  std::string_view kind;
  std::string_view key;
  std::string_view command;
  PodmanCommands options;  // 0: the generator alone writes such a line, from fixed words
};

// pkg/systemd/quadlet/quadlet.go of Podman 5.4 to 6.0.
constexpr std::array kShapes = {
    Shape{"container", "ExecStart", "run", kRun},
    Shape{"container", "ExecStop", "rm", 0},
    Shape{"container", "ExecStopPost", "rm", 0},
    Shape{"container", "ExecReload", "exec", 0},
    Shape{"container", "ExecReload", "kill", 0},
    Shape{"pod", "ExecStartPre", "pod create", kPodCreate},
    Shape{"pod", "ExecStart", "pod start", 0},
    Shape{"pod", "ExecStop", "pod stop", 0},
    Shape{"pod", "ExecStopPost", "pod rm", 0},
    Shape{"kube", "ExecStart", "kube play", kKubePlay},
    Shape{"kube", "ExecStop", "kube down", 0},
    Shape{"kube", "ExecStopPost", "kube down", 0},
    Shape{"volume", "ExecStart", "volume create", kVolumeCreate},
    Shape{"network", "ExecStart", "network create", kNetworkCreate},
    Shape{"network", "ExecStopPost", "network rm", 0},
    Shape{"image", "ExecStart", "image pull", kImagePull},
    Shape{"build", "ExecStart", "build", kBuild},
    Shape{"artifact", "ExecStart", "artifact pull", kImagePull},
};

constexpr std::array kFixedWords = {"-v", "-f", "-i", "--ignore", "--force", "--force=true", "--force=false"};

void deny_command(PolicyContext& context, const ExpandedCommand& command) {
  // A line of podman's may hold what the app is told in confidence.
  const std::size_t shown = is_podman(command) ? std::min<std::size_t>(command.words.size(), 2) : command.words.size();
  std::string line = command.prefix;
  for (const std::string& word : std::span(command.words).first(shown)) line += (line.empty() ? "" : " ") + word;
  if (line.size() > 200) line.resize(200);
  context.deny("exec", command.key + "=" + line + " runs a command on the host that Podman's generator did not make");
}

const Shape* shape_of(const ExpandedUnit& unit, const ExpandedCommand& command, const PodmanCall& call) {
  const bool is_plain = command.prefix.empty() || (command.prefix == "-" && command.key == "ExecStopPost");
  for (const Shape& shape : kShapes) {
    const bool is_it = shape.kind == unit.kind && shape.key == command.key && words_behind(call, shape.command);
    if (is_plain && is_it) return &shape;
  }
  return nullptr;
}

bool is_stop_time(std::string_view word) {
  constexpr std::string_view kOption = "--time=";
  return word.starts_with(kOption) && parse_number(word.substr(kOption.size())).has_value();
}

bool names_runtime_file(const PolicyContext& context, std::string_view word) {
  for (const std::string_view option : {"--cidfile=", "--pod-id-file="}) {
    if (word.starts_with(option)) return context.is_runtime_file(word.substr(option.size()));
  }
  return false;
}

// Lines such as `rm -v -f -i NAME`: words of the generator, and names of the app.
bool is_generators_own(const PolicyContext& context, const Shape& shape, const std::vector<std::string>& words) {
  const auto is_own = [&context](const std::string& word) {
    const PolicyNames& own = context.own();
    return own.containers.contains(word) || own.pods.contains(word) || own.networks.contains(word) ||
           names_runtime_file(context, word);
  };
  // Behind `exec CONTAINER` everything runs in the container; a signal is only a signal.
  if (shape.command == "exec") return !words.empty() && is_own(words.front());
  if (shape.command == "kill") return words.size() == 3 && words[0] == "--signal" && is_own(words[2]);
  // Its file is the one that `kube play` was judged by.
  const bool is_kube = shape.command == "kube down";
  return std::ranges::all_of(words, [&](const std::string& word) {
    return is_stop_time(word) || (is_kube && !word.starts_with('-')) || is_own(word) ||
           std::ranges::find(kFixedWords, word) != kFixedWords.end();
  });
}

void judge_container_words(PolicyContext& context, const PodmanLine& line) {
  const auto is_rootfs = [](const GivenOption& given) { return given.name == "--rootfs"; };
  if (line.words.empty()) return context.deny("exec", "podman run names no image");
  if (line.words.front().contains(kUnknownVariable)) {
    return context.deny("variable", "where the image should stand is a variable that the host fills in");
  }
  if (std::ranges::none_of(line.options, is_rootfs)) judge_image(context, line.words.front());
  for (const std::string& word : std::span(line.words).subspan(1)) {
    if (word.contains(kUnknownVariable)) {
      return context.flag("host-variable", "the container's command holds a variable that the host fills in");
    }
  }
}

void judge_word(PolicyContext& context, PodmanCommands command, const std::string& word) {
  if (word.contains(kUnknownVariable)) {
    context.deny("variable", "a word of the command line is known only when the unit starts");
  } else if (command == kBuild) {
    judge_build_path(context, word);
  } else if (command == kImagePull) {
    judge_pulled_image(context, word);
  } else if (command == kKubePlay) {
    judge_kube_file(context, word);
  } else if (command == kVolumeCreate && context.others().volumes.contains(word)) {
    context.flag("foreign-volume", "the volume " + word + " belongs to another app");
  } else if (command == kNetworkCreate && context.others().networks.contains(word)) {
    context.flag("foreign-network", "the network " + word + " belongs to another app");
  } else if (command == kPodCreate && context.others().pods.contains(word)) {
    context.deny("foreign-name", "the pod " + word + " belongs to another app");
  }
}

void judge_line(PolicyContext& context, const Shape& shape, const std::vector<std::string>& words) {
  const Order order = shape.options == kRun ? Order::options_first : Order::mixed;
  const PodmanLine line = read_podman_line(shape.options, words, order);
  if (shape.options == kBuild) context.flag("build", "commands of the bundle run on this host while it is built");
  for (const GivenOption& given : line.options) judge_option(context, given);
  if (shape.options == kRun) return judge_container_words(context, line);
  for (const std::string& word : line.words) judge_word(context, shape.options, word);
}

void judge_globals(PolicyContext& context, const PodmanCall& call) {
  for (const GivenOption& given : call.globals) {
    if (given.option == nullptr || given.option->name != "module") {
      context.deny("global-args", given.name + " stands before the name of podman's command");
    }
    if (given.option != nullptr) judge_option(context, given);
  }
}

void judge_command(PolicyContext& context, const ExpandedUnit& unit, const ExpandedCommand& command) {
  if (!command.is_readable) {
    return context.deny("exec", command.key + "= has an open quote, so that nobody can say what it runs");
  }
  if (!is_podman(command)) return deny_command(context, command);
  const PodmanCall call = read_call(command);
  const Shape* shape = shape_of(unit, command, call);
  if (shape == nullptr) return deny_command(context, command);
  judge_globals(context, call);
  const auto words = *words_behind(call, shape->command);
  if (shape->options != 0) return judge_line(context, *shape, words);
  if (!is_generators_own(context, *shape, words)) deny_command(context, command);
}

}  // namespace

void judge_commands(PolicyContext& context, const ExpandedUnit& unit) {
  const std::vector<ExpandedCommand>& commands = unit.commands;
  for (std::size_t i = 0; i < commands.size(); ++i) {
    // The generator writes one line of a key, behind all that the bundle has.
    const bool is_last = i + 1 == commands.size() || commands[i + 1].key != commands[i].key;
    if (is_last) {
      judge_command(context, unit, commands[i]);
    } else {
      deny_command(context, commands[i]);
    }
  }
}

}  // namespace leger
