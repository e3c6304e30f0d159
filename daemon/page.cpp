#include "daemon/page.h"

#include <algorithm>

namespace leger {

const PageFile* page_file(std::string_view path) {
  const auto assets = page_assets();
  const auto found = std::ranges::find(assets, path, &PageAsset::path);
  return found == assets.end() ? nullptr : &found->file;
}

}  // namespace leger
