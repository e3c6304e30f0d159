#include "quadlets/policy_options.h"

#include <array>
#include <optional>
#include <utility>

#include "quadlets/policy_option_table.h"

namespace leger {
namespace {

// Other names that podman takes for an option: cmd/podman/utils/alias.go.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kAliases = {{
    {"net", "network"},
    {"dns-opt", "dns-option"},
    {"healthcheck-command", "health-cmd"},
    {"healthcheck-interval", "health-interval"},
    {"healthcheck-retries", "health-retries"},
    {"healthcheck-start-period", "health-start-period"},
    {"healthcheck-timeout", "health-timeout"},
    {"override-arch", "arch"},
    {"override-os", "os"},
    {"override-variant", "variant"},
    {"purge", "rm"},
    {"annotations", "annotation"},
    {"options", "opt"},
    {"cni-config-dir", "network-config-dir"},
}};

std::string_view plain_name(std::string_view name) {
  for (const auto& [other, plain] : kAliases) {
    if (name == other) return plain;
  }
  return name;
}

const PodmanOption* find_long(PodmanCommands command, std::string_view name) {
  for (const PodmanOption& option : podman_options()) {
    if ((option.commands & command) == command && option.name == plain_name(name)) return &option;
  }
  return nullptr;
}

const PodmanOption* find_letter(PodmanCommands command, char letter) {
  for (const PodmanOption& option : podman_options()) {
    if ((option.commands & command) == command && option.letter == letter) return &option;
  }
  return nullptr;
}

class Reader {
 public:
  Reader(PodmanCommands command, const std::vector<std::string>& words) : command_(command), words_(words) {}

  PodmanLine read(Order order) {
    bool options_ended = false;
    while (next_ < words_.size()) {
      const std::string& word = words_[next_++];
      const bool is_option = !options_ended && word.size() > 1 && word.front() == '-';
      if (is_option && word == "--") {
        options_ended = true;
      } else if (is_option) {
        word.starts_with("--") ? read_long(word) : read_letters(word);
      } else {
        line_.words.push_back(word);
        if (order == Order::options_first) options_ended = true;
      }
    }
    return std::move(line_);
  }

 private:
  void read_long(const std::string& word) {
    const std::size_t equals = word.find('=');
    GivenOption given{.option = nullptr, .name = word.substr(0, equals), .value = {}};
    given.option = find_long(command_, std::string_view(given.name).substr(2));
    if (equals != std::string::npos) {
      given.value = word.substr(equals + 1);
    } else {
      take_value(given);
    }
    line_.options.push_back(std::move(given));
  }

  // `-it`, `-vVALUE`, `-v=VALUE`, `-v VALUE`, and any mixture.
  void read_letters(const std::string& word) {
    for (std::size_t i = 1; i < word.size(); ++i) {
      GivenOption given{.option = find_letter(command_, word[i]), .name = std::string("-") + word[i], .value = {}};
      const bool takes_rest = given.option == nullptr || given.option->takes == Takes::value;
      const std::size_t value = i + 1 < word.size() && word[i + 1] == '=' ? i + 2 : i + 1;
      if (value > i + 1 || (takes_rest && value < word.size())) {
        given.value = word.substr(value);
        i = word.size();
      } else if (takes_rest) {
        take_value(given);
      }
      line_.options.push_back(std::move(given));
    }
  }

  void take_value(GivenOption& given) {
    if (next_ == words_.size()) return;
    const bool is_known = given.option != nullptr;
    if (is_known && given.option->takes != Takes::value) return;
    if (!is_known && words_[next_].starts_with('-')) return;
    given.value = words_[next_++];
  }

  PodmanCommands command_;
  const std::vector<std::string>& words_;
  std::size_t next_ = 0;
  PodmanLine line_;
};

}  // namespace

PodmanLine read_podman_line(PodmanCommands command, const std::vector<std::string>& words, Order order) {
  return Reader(command, words).read(order);
}

}  // namespace leger
