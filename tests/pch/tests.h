#pragma once

// What nearly every test includes, compiled once for each program of tests. For speed alone: each file names what it
// uses, and the build that clang-tidy reads has no precompiled headers.

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
