// CaptureFiles: stores each accepted message as NNNNNN-<shard>.eml in a directory: lines X-Sender
// and X-Recipient of the envelope in front, an empty line, then the content, dots unstuffed, as it
// came. For tests that compare what arrived; writes block the shard.
#pragma once

#include <cstdint>
#include <string>

#include "bench/load/sink_dialogue.h"

namespace bench {

class CaptureFiles final : public SinkCapture {
  public:
    CaptureFiles(std::string directory, std::size_t shard)
        : directory_(std::move(directory)), shard_(shard) {}
    void store(std::string_view id, std::string_view sender,
               const std::vector<std::string>& recipients, std::string_view content) override;

  private:
    std::string directory_;
    std::size_t shard_;
    std::uint64_t stored_ = 0;
};

}  // namespace bench
