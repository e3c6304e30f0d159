#pragma once

// What nearly every file includes, compiled once for each library. For speed alone: each file names what it uses, and
// the build that clang-tidy reads has no precompiled headers.

#include <uv.h>

#include <expected>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
