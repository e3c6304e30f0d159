#include "cli/event_parser.h"

#include <utility>

namespace leger {

std::vector<ServerEvent> EventParser::feed(std::string_view bytes) {
  std::vector<ServerEvent> events;
  for (const char byte : bytes) {
    if (is_broken()) break;
    if (byte == '\n') {
      take_line(events);
    } else {
      line_ += byte;
    }
  }
  return events;
}

void EventParser::take_line(std::vector<ServerEvent>& events) {
  const std::string line = std::exchange(line_, {});
  std::string_view text = line;
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.empty()) {
    // What an event did not say of itself stays as it was, but for the id (HTML §9.2.6).
    if (has_data_) events.push_back(event_);
    event_.kind.clear();
    event_.data.clear();
    has_data_ = false;
    return;
  }
  const std::size_t colon = text.find(':');
  std::string_view value = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  const std::string_view name = text.substr(0, colon);
  if (name == "id") event_.id = value;
  if (name == "event") event_.kind = value;
  if (name != "data") return;
  if (has_data_) event_.data += '\n';
  event_.data += value;
  has_data_ = true;
}

}  // namespace leger
