// DiskImage: the octets of one file of a simulated disk, in pages that copies share, so that a disk
// can be copied at every crash point. Pages of zeros take no memory. Owned by its SimDisk.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace sim {

class DiskImage {
  public:
    static constexpr std::size_t kSector = 512;
    static constexpr std::size_t kPage = 4096;

    std::uint64_t size() const { return size_; }
    void resize(std::uint64_t octets);
    void read(std::uint64_t offset, std::span<char> out) const;  // zeros after the end
    void write(std::uint64_t offset, std::string_view octets);   // grows as needed
    std::uint64_t octets_on_disk() const { return pages_.size() * kPage; }

  private:
    using Page = std::array<char, kPage>;
    std::vector<std::shared_ptr<Page>> pages_;
    std::uint64_t size_ = 0;
};

}  // namespace sim
