#include "daemon/answer_head.h"

namespace leger {
namespace {

// What a browser may make of an answer (threats T18, T20): nothing, and of a page what is ours.
constexpr std::string_view kDataHeaders =
    "\r\nX-Content-Type-Options: nosniff"
    "\r\nReferrer-Policy: no-referrer"
    "\r\nCross-Origin-Resource-Policy: same-origin"
    "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'";
constexpr std::string_view kPageHeaders =
    "\r\nX-Content-Type-Options: nosniff"
    "\r\nReferrer-Policy: no-referrer"
    "\r\nCross-Origin-Resource-Policy: same-origin"
    "\r\nX-Frame-Options: DENY"
    "\r\nPermissions-Policy: camera=(), geolocation=(), microphone=(), payment=(), usb=()"
    "\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

// Number and reason of those that are sent.
std::string_view status_text(int status) {
  switch (status) {
    case 200:
      return "200 OK";
    case 201:
      return "201 Created";
    case 202:
      return "202 Accepted";
    case 204:
      return "204 No Content";
    case 206:
      return "206 Partial Content";
    case 302:
      return "302 Found";
    case 304:
      return "304 Not Modified";
    case 400:
      return "400 Bad Request";
    case 401:
      return "401 Unauthorized";
    case 403:
      return "403 Forbidden";
    case 404:
      return "404 Not Found";
    case 405:
      return "405 Method Not Allowed";
    case 408:
      return "408 Request Timeout";
    case 409:
      return "409 Conflict";
    case 413:
      return "413 Content Too Large";
    case 414:
      return "414 URI Too Long";
    case 415:
      return "415 Unsupported Media Type";
    case 416:
      return "416 Range Not Satisfiable";
    case 421:
      return "421 Misdirected Request";
    case 422:
      return "422 Unprocessable Content";
    case 429:
      return "429 Too Many Requests";
    case 431:
      return "431 Request Header Fields Too Large";
    case 500:
      return "500 Internal Server Error";
    case 501:
      return "501 Not Implemented";
    case 502:
      return "502 Bad Gateway";
    case 503:
      return "503 Service Unavailable";
    case 507:
      return "507 Insufficient Storage";
    default:
      return "";
  }
}

}  // namespace

bool has_content(int status) { return status != 204 && status != 304; }

void write_head(std::string& out, const Response& response, const AnswerStyle& style) {
  out.clear();
  out += "HTTP/1.1 ";
  const std::string_view status = status_text(response.status);
  if (status.empty()) out.append(std::to_string(response.status)).append(" ");  // RFC 9112 §4: without a reason
  out += status;
  out += "\r\nDate: ";
  out += style.date;
  if (has_content(response.status)) {
    out += "\r\nContent-Type: ";
    out += response.content_type;
    if (!response.source && !response.live) {
      out += "\r\nContent-Length: ";
      out += std::to_string(response.file ? response.file->length : response.body.size());
    } else if (!style.http_1_0) {
      out += "\r\nTransfer-Encoding: chunked";
    }
  }
  out += response.is_page ? kPageHeaders : kDataHeaders;
  if (!response.cache_control.empty()) {
    out += "\r\nCache-Control: ";
    out += response.cache_control;
  }
  for (const auto& [name, value] : response.headers) {
    out += "\r\n";
    out += name;
    out += ": ";
    out += value;
  }
  if (!style.keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
}

}  // namespace leger
