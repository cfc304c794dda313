#include "tests/sim/disk_image.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace sim {

void DiskImage::resize(std::uint64_t octets) {
    if (octets < size_ && octets % kPage != 0 && pages_[octets / kPage] != nullptr) {
        auto page = std::make_shared<Page>(*pages_[octets / kPage]);
        std::fill(page->begin() + static_cast<std::ptrdiff_t>(octets % kPage), page->end(), '\0');
        pages_[octets / kPage] = std::move(page);
    }
    size_ = octets;
    pages_.resize((octets + kPage - 1) / kPage);
}

void DiskImage::read(std::uint64_t offset, std::span<char> out) const {
    while (!out.empty()) {
        const std::uint64_t within = offset % kPage;
        const auto length = std::min<std::size_t>(out.size(), kPage - within);
        const std::uint64_t index = offset / kPage;
        if (index < pages_.size() && pages_[index] != nullptr) {
            std::memcpy(out.data(), pages_[index]->data() + within, length);
        } else {
            std::memset(out.data(), 0, length);
        }
        out = out.subspan(length);
        offset += length;
    }
}

void DiskImage::write(std::uint64_t offset, std::string_view octets) {
    if (offset + octets.size() > size_) resize(offset + octets.size());
    while (!octets.empty()) {
        const std::uint64_t within = offset % kPage;
        const auto length = std::min<std::size_t>(octets.size(), kPage - within);
        std::shared_ptr<Page>& page = pages_[offset / kPage];
        const std::string_view piece = octets.substr(0, length);
        if (page != nullptr || piece.find_first_not_of('\0') != std::string_view::npos) {
            if (page == nullptr) {
                page = std::make_shared<Page>();
            } else if (page.use_count() > 1) {
                page = std::make_shared<Page>(*page);
            }
            std::memcpy(page->data() + within, piece.data(), length);
        }
        octets.remove_prefix(length);
        offset += length;
    }
}

}  // namespace sim
