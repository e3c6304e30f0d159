#pragma once

// Server-sent events out of the bytes of a stream, as the HTML standard has them, cut anywhere. Pure; one stream.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace leger {

struct ServerEvent {
  std::string id;
  std::string kind;
  std::string data;
};

class EventParser {
 public:
  // The events that these bytes complete. A line of more than 1 MiB is none of legerd's: nothing comes any more.
  std::vector<ServerEvent> feed(std::string_view bytes);
  bool is_broken() const { return line_.size() > kMostLine || event_.data.size() > kMostLine; }

 private:
  static constexpr std::size_t kMostLine = std::size_t{1} << 20;
  void take_line(std::vector<ServerEvent>& events);

  std::string line_;
  ServerEvent event_;
  bool has_data_ = false;
};

}  // namespace leger
