#pragma once

// Reads the objects of an answer field by field and remembers the first field that is not as it must be, so that a
// reader is a list of fields with one question at its end. Wherever a problem was found, what was read is no answer.

#include <cstdint>
#include <string>
#include <vector>

#include "backend/base/json.h"

namespace leger {

class Fields {
 public:
  // `object` and `problem` outlive this; `path` is how a problem names the object (`Node`), empty for the whole answer.
  // What is not an object has no fields.
  Fields(const Json& object, std::string path, std::string& problem);

  // A text, perhaps empty, of at most 1000 bytes.
  std::string text(const char* name);
  // The same; empty where the field is absent.
  std::string text_if_there(const char* name);
  // A text that is not empty.
  std::string id(const char* name);
  // An integer of 64 bits, not negative; and one that is not zero either.
  std::int64_t number(const char* name);
  std::int64_t positive(const char* name);
  // The same; zero where the field is absent.
  std::int64_t number_if_there(const char* name);
  // True or false; false where the field is absent.
  bool flag(const char* name);
  // Texts; none where the field is absent or null, as Go writes an empty list.
  std::vector<std::string> texts(const char* name);

  // An object.
  Fields object(const char* name);
  // The same; one without fields where it is absent or null.
  Fields object_if_there(const char* name);

  bool has(const char* name) const { return field(name) != nullptr; }
  void odd(const char* name);

 private:
  const Json* field(const char* name) const;
  std::string path_of(const char* name) const;

  const Json& object_;
  std::string path_;
  std::string& problem_;
};

}  // namespace leger
