#pragma once

// Every option of the podman commands that the generator makes, with its judgement, and the way podman reads a command
// line (spf13/pflag). Options and their arity are those of Podman 5.4 to 6.0: `podman COMMAND --help` and
// pkg/systemd/quadlet/quadlet.go. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

// A set of podman commands that take options of a bundle.
using PodmanCommands = std::uint32_t;
inline constexpr PodmanCommands kRun = 1;
inline constexpr PodmanCommands kPodCreate = 2;
inline constexpr PodmanCommands kKubePlay = 4;
inline constexpr PodmanCommands kVolumeCreate = 8;
inline constexpr PodmanCommands kNetworkCreate = 16;
inline constexpr PodmanCommands kImagePull = 32;
inline constexpr PodmanCommands kBuild = 64;
// All of them: as a `command`, what may stand before a command's name.
inline constexpr PodmanCommands kEveryCommand = 127;

enum class Takes { value, nothing, maybe };  // maybe: a value only as --name=value
// by_value: it depends on the value, and policy_values.cpp knows how.
enum class Says { fine, flagged, denied, by_value };

struct PodmanOption {
  PodmanCommands commands;
  std::string_view name;  // without dashes
  char letter;            // 0: none
  Takes takes;
  Says says;
  std::string_view rule;  // where flagged or denied
};

struct GivenOption {
  const PodmanOption* option = nullptr;  // null: not in the table
  std::string name;                      // as written: --name or -n
  std::string value;
};

struct PodmanLine {
  std::vector<GivenOption> options;
  std::vector<std::string> words;  // what is no option: an image and its command, a name, a file
};

enum class Order { options_first, mixed };  // `podman run` ends its options at the image

// Reads what stands behind the command's name. An unknown option is taken to have a value where a word that is no
// option follows, so that no option behind it is missed.
PodmanLine read_podman_line(PodmanCommands command, const std::vector<std::string>& words, Order order);

}  // namespace leger
