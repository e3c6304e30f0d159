#include "daemon/page.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace leger::test {
namespace {

const std::string kWebFolder = WEB_FOLDER;

std::string read_file(const std::string& name) {
  std::ifstream file(kWebFolder + "/" + name, std::ios::binary);
  REQUIRE_MESSAGE(file.good(), name);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What the pattern's first group matches in the text.
std::vector<std::string> matches(std::string_view text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::vector<std::string> found;
  for (std::cregex_iterator match(text.data(), text.data() + text.size(), regex), end; match != end; ++match) {
    found.push_back((*match)[1].str());
  }
  return found;
}

std::string without(std::string text, const std::string& part) {
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at)) text.erase(at, part.size());
  return text;
}

std::string version_query() { return "?v=" + std::string(page_version()); }

std::string as_written(const PageFile& file) { return without(std::string(file.bytes), version_query()); }

std::string name_of(const PageAsset& asset) {
  return std::string(asset.path.substr(std::string_view("/assets/").size()));
}

bool is_module(const PageAsset& asset) { return asset.path.ends_with(".js"); }

}  // namespace

TEST_CASE("the page is built in as it stands in its folder") {
  CHECK(as_written(page_index()) == read_file("index.html"));
  for (const PageAsset& asset : page_assets()) {
    CAPTURE(asset.path);
    CHECK(as_written(asset.file) == read_file(name_of(asset)));
  }
}

TEST_CASE("every file of the folder that a browser reads is built in") {
  std::set<std::string> built;
  for (const PageAsset& asset : page_assets()) built.insert(name_of(asset));
  std::set<std::string> there;
  for (const auto& entry : std::filesystem::directory_iterator(kWebFolder)) {
    const std::string name = entry.path().filename().string();
    if (std::regex_match(name, std::regex(R"(\w+\.(js|css|svg))"))) there.insert(name);
  }
  CHECK(there == built);
  CHECK(there.contains("app.js"));
}

TEST_CASE("what the index names is there, with its version") {
  const auto named = matches(page_index().bytes, R"re((?:src|href)="([^"]*)")re");
  CHECK(named.size() >= 4);
  for (const std::string& reference : named) {
    CAPTURE(reference);
    REQUIRE(reference.ends_with(version_query()));
    CHECK(page_file(without(reference, version_query())) != nullptr);
  }
}

TEST_CASE("what the modules import is there, with its version") {
  std::size_t imports = 0;
  for (const PageAsset& asset : page_assets()) {
    if (!is_module(asset)) continue;
    CAPTURE(asset.path);
    const auto named = matches(asset.file.bytes, R"re((?:from|import)\s*\(?\s*['"]([^'"]*)['"])re");
    CHECK(named.size() == matches(asset.file.bytes, R"re((?:^|\n)(import)\b)re").size());
    for (const std::string& reference : named) {
      CAPTURE(reference);
      REQUIRE(reference.starts_with("./"));
      REQUIRE(reference.ends_with(version_query()));
      CHECK(page_file("/assets/" + without(reference.substr(2), version_query())) != nullptr);
    }
    imports += named.size();
  }
  CHECK(imports >= 10);
}

TEST_CASE("the index has no script, style or handler of its own") {
  const std::string_view index = page_index().bytes;
  const auto scripts = matches(index, R"re(<script([^>]*)>)re");
  CHECK(scripts.size() == 1);
  for (const std::string& attributes : scripts) CHECK(attributes.contains(" src=\""));
  CHECK(matches(index, R"re(<script[^>]*>([^<]+)<)re").empty());
  CHECK(matches(index, R"re((<style|<base|<iframe|<object|<embed|<meta http-equiv))re").empty());
  CHECK(matches(index, R"re(\s(style|on[a-z]+|srcdoc)\s*=)re").empty());
  CHECK(matches(index, R"re((javascript:|https?:|data:))re").empty());
}

TEST_CASE("the modules make elements from text only") {
  for (const PageAsset& asset : page_assets()) {
    if (!is_module(asset)) continue;
    CAPTURE(asset.path);
    CHECK(matches(asset.file.bytes, R"re((innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|setHTML))re")
              .empty());
    CHECK(matches(asset.file.bytes, R"re((\beval\b|new Function|\.style\b|'style'|setAttribute\('on))re").empty());
    CHECK(matches(asset.file.bytes, R"re((set(?:Timeout|Interval)\(['"`]))re").empty());
  }
}

TEST_CASE("each file has its type and its own tag, and all together are small") {
  std::size_t bytes = page_index().bytes.size();
  std::set<std::string_view> tags{page_index().etag};
  CHECK(page_index().content_type == "text/html; charset=utf-8");
  for (const PageAsset& asset : page_assets()) {
    CAPTURE(asset.path);
    const PageFile* file = page_file(asset.path);
    REQUIRE(file != nullptr);
    CHECK(file->bytes.data() == asset.file.bytes.data());
    CHECK_FALSE(file->bytes.empty());
    CHECK(std::regex_match(std::string(file->etag), std::regex("\"[0-9a-f]{16}\"")));
    tags.insert(file->etag);
    bytes += file->bytes.size();
  }
  CHECK(tags.size() == page_assets().size() + 1);
  CHECK(bytes < 60'000);
  CHECK(page_file("/assets/app.js")->content_type == "text/javascript; charset=utf-8");
  CHECK(page_file("/assets/base.css")->content_type == "text/css; charset=utf-8");
  CHECK(page_file("/assets/favicon.svg")->content_type == "image/svg+xml");
}

TEST_CASE("only the exact path of an asset has a file") {
  for (const std::string_view path :
       {"", "/", "/assets", "/assets/", "/assets/app.js/", "/assets/App.js", "/assets/../assets/app.js", "app.js",
        "/app.js", "//assets/app.js", "/assets/app.js?v=1", "/assets/index.html", "/assets/embed.py",
        "/assets/judge.test.js"}) {
    CAPTURE(path);
    CHECK(page_file(path) == nullptr);
  }
}

}  // namespace leger::test
