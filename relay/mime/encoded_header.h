// encode_header(): a header section with raw UTF-8, as programs write it who leave the encoding to
// others, in ASCII (RFC 2047), so that servers without SMTPUTF8 take it. Pure. Unstructured fields
// are encoded in their text; fields of addresses, List-Id and Keywords in display names, phrases
// and comments, never in an address; parameters of Content-Type and Content-Disposition by RFC
// 2231. Every other structured field, and an address in UTF-8, stays as it is. Fields without
// octets above 127 come back octet by octet, and encoded words that are there already are not
// encoded again. Lines that are made have 76 octets at most where words allow it. What is no UTF-8
// stays.
#pragma once

#include <string>
#include <string_view>

namespace relay {

// head: whole lines ending in LF or CRLF, up to the empty line or without one. Lines that are made
// end in CRLF.
std::string encode_header(std::string_view head);
// Signed by DKIM or ARC: whoever changes its fields breaks that (RFC 6376 section 3.5).
bool is_signed_header(std::string_view head);

}  // namespace relay
