// Messages of any structure with octets above 127, made content as SMTP would (line ends mended).
// Oracles: what was converted is 7-bit, in lines that SMTP takes; every leaf decodes to what it was
// (the reader of tests/unit/mime is another implementation); nothing depends on how the work was
// cut; what is converted once needs no second conversion. The first octet seeds the cuts.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "relay/mime/seven_bit.h"
#include "relay/smtp/content_decoder.h"
#include "tests/unit/mime/mime_reader.h"

namespace {

std::optional<std::string> convert(const relay::Content& content, core::Prng* cuts) {
    relay::SevenBit conversion(content);
    while (!conversion.advance(cuts == nullptr ? 1 << 20 : 1 + cuts->below(90))) {
    }
    const auto converted = conversion.take();
    PH_ASSERT(converted.has_value() == (conversion.fault() == relay::MimeFault::none));
    if (!converted) return std::nullopt;
    PH_ASSERT(converted->size() <= 5 * content.size() + 2000);
    return converted->to_string();
}

void check_lines(std::string_view text) {
    std::size_t line = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        PH_ASSERT(static_cast<unsigned char>(text[i]) < 128);
        PH_ASSERT((text[i] == '\n') == (i > 0 && text[i - 1] == '\r'));
        line = text[i] == '\n' ? 0 : line + 1;
        PH_ASSERT(line <= 999);
    }
    PH_ASSERT(text.ends_with("\r\n"));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    relay::Content content;
    relay::ContentDecoder decoder;
    decoder.begin_chunks(content, 1 << 20, relay::BareEndings::normalize);
    decoder.feed_chunk(input);
    decoder.end_chunks();
    if (decoder.fault() != relay::ContentFault::none || content.size() == 0) return 0;
    content.seal();

    const std::optional<std::string> whole = convert(content, nullptr);
    core::Prng cuts(data[0]);
    PH_ASSERT(convert(content, &cuts) == whole);
    if (!whole) return 0;
    check_lines(*whole);
    const std::string original = content.to_string();
    PH_ASSERT(relay_test::MimeReader::read(*whole) == relay_test::MimeReader::read(original));
    if (!decoder.eight_bit()) {
        // Nothing but labels may have changed.
        PH_ASSERT(whole->size() + 10'000 >= original.size());
    }
    return 0;
}
