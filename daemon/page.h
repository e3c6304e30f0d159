#pragma once

// The page as it is built into legerd: its index and its assets, from the folder web/ (web/embed.py writes them out).
// Constants; any thread.

#include <span>
#include <string_view>

namespace leger {

struct PageFile {
  std::string_view content_type;
  std::string_view bytes;
  std::string_view etag;  // as the header has it, in quotes; of these bytes
};

struct PageAsset {
  std::string_view path;  // `/assets/NAME`
  PageFile file;
};

// What every path of the page gets. It names the assets with their version and so is never to be kept unasked.
const PageFile& page_index();

// The asset of exactly this path, such as `/assets/app.js`, without a query; null where there is none.
const PageFile* page_file(std::string_view path);

// All of them; the hash of them all with the index. An asset that was asked for with the query `v=` and this version
// may be kept for ever, any other only with its ETag.
std::span<const PageAsset> page_assets();
std::string_view page_version();

}  // namespace leger
