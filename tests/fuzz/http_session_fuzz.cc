// Any octets on a connection of the HTTP server: the session must end, answer well-formed responses
// only, give back the memory that it counted, and answer the same however the input is cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "core/base/assert.h"
#include "core/base/prng.h"
#include "core/http/session.h"
#include "tests/unit/core/net/scripted_stream.h"

namespace {

core::Task<core::HttpResponse> echo(core::HttpRequest request) {
    PH_ASSERT(request.body.size() <= 4096);
    PH_ASSERT(!request.content_length || *request.content_length == request.body.size());
    std::string text = request.method + ' ' + request.path + '?' + request.query + '\n';
    for (const core::HttpField& field : request.fields) {
        PH_ASSERT(field.name.find_first_of("\r\n:") == std::string::npos);
        PH_ASSERT(field.value.find_first_of("\r\n") == std::string::npos);
        text += field.name + ':' + field.value + '\n';
    }
    co_return core::text_response(200, text + request.body, "text/plain");
}

core::Task<void> converse(core::HttpSession* session) {
    co_await session->run();
}

// Feeds the input in pieces: whole when seed is 0, else cut at random.
std::string answer(std::string_view input, std::uint64_t seed) {
    core::test::TestLoop loop;
    core::test::ScriptedStream stream(loop.reactor());
    core::Prng prng(seed);
    while (!input.empty()) {
        std::size_t length = input.size();
        if (seed != 0) length = std::min<std::size_t>(length, 1 + prng.below(prng.below(64) + 1));
        stream.say(std::string(input.substr(0, length)));
        input.remove_prefix(length);
    }
    core::Router router;
    for (const char* method : {"GET", "POST", "PUT"}) {
        router.add({method, "/", 4096, echo, {}});
    }
    core::HttpLimits limits;
    limits.max_head = 2048;
    core::HttpSessions shared;
    {
        core::HttpSession session(stream, router, limits, shared, loop.reactor());
        loop.run(converse(&session));
    }
    PH_ASSERT(shared.body_memory == 0);
    PH_ASSERT(stream.heard().empty() || stream.heard().starts_with("HTTP/1.1 "));
    return stream.heard();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 16384) return 0;
    const std::string input(reinterpret_cast<const char*>(data), size);
    // "100 Continue" depends on whether the body is here already, so it is no part of the oracle.
    if (input.find("100-") != std::string::npos || input.find("xpect") != std::string::npos) {
        answer(input, 0);
        answer(input, size + 1);
        return 0;
    }
    const std::string whole = answer(input, 0);
    PH_ASSERT(answer(input, size + 1) == whole);
    PH_ASSERT(answer(input, size * 31 + 7) == whole);
    return 0;
}
