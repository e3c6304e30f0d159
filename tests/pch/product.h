#pragma once

// What nearly every file includes, compiled once for each library. For speed alone: each file names what it uses, and
// the build that clang-tidy reads has no precompiled headers.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <coroutine>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/pch/json.h"
