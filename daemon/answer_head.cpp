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

std::string_view reason_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 302:
      return "Found";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 421:
      return "Misdirected Request";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "";  // RFC 9112 §4: the reason may be empty
  }
}

}  // namespace

bool has_content(int status) { return status != 204 && status != 304; }

void write_head(std::string& out, const Response& response, const AnswerStyle& style) {
  out.clear();
  out += "HTTP/1.1 ";
  out += std::to_string(response.status);
  out += ' ';
  out += reason_of(response.status);
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
