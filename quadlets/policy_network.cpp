#include "quadlets/policy_network.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "backend/base/text.h"
#include "quadlets/policy_lines.h"

namespace leger {
namespace {

// Options of pasta that open no way to the host's loopback. Others, and abbreviated ones, are taken to do so.
constexpr std::array kPastaFlags = {"-4",       "--ipv4-only", "-6",        "--ipv6-only", "--no-map-gw",
                                    "--no-tcp", "--no-udp",    "--no-icmp", "--no-dhcp",   "--no-dhcpv6",
                                    "--no-ndp", "--no-ra",     "-q",        "--quiet"};
constexpr std::array kPastaValues = {"-m", "--mtu",       "-a", "--address", "-n", "--netmask", "-g", "--gateway",
                                     "-I", "--ns-ifname", "-D", "--dns",     "-S", "--search"};

bool is_in(const auto& list, std::string_view word) {
  return std::ranges::any_of(list, [word](const char* known) { return word == known; });
}

void judge_pasta(PolicyContext& context, const std::string& value) {
  const std::vector<std::string_view> words = split(std::string_view(value).substr(6), ',');
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    const std::string_view name = words[i].substr(0, equals);
    if (words[i].empty() || is_in(kPastaFlags, words[i])) continue;
    if (is_in(kPastaValues, name)) {
      if (equals == std::string_view::npos) ++i;
      continue;
    }
    return context.deny("host-loopback", "--network " + value + ": the option " + std::string(words[i]) +
                                             " can open the host's loopback to the container");
  }
}

void judge_slirp(PolicyContext& context, const std::string& value) {
  constexpr std::array kHarmless = {"mtu", "cidr", "enable_ipv6", "port_handler"};
  for (const std::string_view word : split(std::string_view(value).substr(14), ',')) {
    const std::string_view name = word.substr(0, word.find('='));
    if (word.empty() || is_in(kHarmless, name) || word == "allow_host_loopback=false") continue;
    return context.deny("host-loopback", "--network " + value + ": the option " + std::string(word) +
                                             " can open the host's network to the container");
  }
}

void judge_named(PolicyContext& context, std::string_view name) {
  const std::string network(name.substr(0, name.find(':')));
  if (!context.others().networks.contains(network) || context.own().networks.contains(network)) return;
  context.flag("foreign-network", "--network " + network + " is the network of another app");
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "[::1]" || address == "localhost";
}

}  // namespace

void judge_network(PolicyContext& context, const std::string& value) {
  const std::string what = "--network " + value;
  constexpr std::string_view kContainer = "container:";
  if (has_unknown(value)) {
    context.deny("variable", what + " is known only when the unit starts");
  } else if (value == "host" || value.starts_with("host:")) {
    context.flag("host-network", what + " shares the host's network, its loopback too");
  } else if (value.starts_with("ns:") || value.starts_with('/')) {
    context.deny("foreign-namespace", what + " joins a network namespace of others");
  } else if (value.starts_with(kContainer)) {
    if (context.own().containers.contains(value.substr(kContainer.size()))) return;
    context.deny("foreign-namespace", what + " is no container of the app");
  } else if (value.starts_with("pasta:")) {
    judge_pasta(context, value);
  } else if (value.starts_with("slirp4netns:")) {
    judge_slirp(context, value);
  } else {
    for (const std::string_view name : split(value, ',')) judge_named(context, name);
  }
}

void judge_publish(PolicyContext& context, const std::string& value) {
  // An IPv6 address in brackets holds colons of its own.
  const std::size_t bracket = value.starts_with('[') ? value.find(']') : std::string::npos;
  const std::size_t colon = value.find(':', bracket == std::string::npos ? 0 : bracket);
  const bool has_address = bracket != std::string::npos || std::ranges::count(value, ':') == 2;
  if (has_address && is_loopback(std::string_view(value).substr(0, colon))) return;
  context.flag("publish",
               "--publish " + value + " can be reached from other machines; 127.0.0.1:… is for this one only");
}

}  // namespace leger
