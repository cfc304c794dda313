// MappedFile: the first octets of a file as memory that is shared with the page cache: what was
// stored there is in the file when the process dies, whatever it dies of, without a call. It is not
// durable: a power loss may take any of it. When the disk takes a page away (an error, a file
// system that went read-only, a file that somebody cut: SIGBUS), plain memory takes its place,
// lost() says so, and the process lives on. Made and ended on one thread, its octets are
// everybody's. Limit: kMostGuarded mappings at a time in a process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "core/io/io_backend.h"

namespace core {

class MappedFile {
  public:
    static constexpr std::size_t kMostGuarded = 4;

    // The file is made, or grown to so many octets (zeros), all of them with space on the disk.
    static IoResult<std::unique_ptr<MappedFile>> open(const std::string& path, std::size_t octets);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<std::uint64_t> words() const { return words_; }
    // Nothing that is stored now will be found by the next process.
    bool lost() const;

  private:
    MappedFile(std::span<std::uint64_t> words, std::size_t guard) : words_(words), guard_(guard) {}

    std::span<std::uint64_t> words_;
    std::size_t guard_;
};

}  // namespace core
