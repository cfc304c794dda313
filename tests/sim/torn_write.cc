#include "tests/sim/torn_write.h"

#include <algorithm>
#include <vector>

#include "tests/sim/disk_image.h"

namespace sim {

namespace {

constexpr std::uint64_t kSector = DiskImage::kSector;

// Which of so many sectors of a write reached the disk: the shapes that have broken journals.
std::vector<bool> surviving(std::size_t sectors, core::Prng& prng) {
    std::vector<bool> kept(sectors, false);
    const std::size_t cut = prng.below(sectors + 1);
    switch (prng.below(6)) {
        case 0:  // nothing
            break;
        case 1:
            kept.assign(sectors, true);
            break;
        case 2:  // the beginning
            std::fill_n(kept.begin(), cut, true);
            break;
        case 3:  // the end
            std::fill_n(kept.rbegin(), cut, true);
            break;
        case 4:  // all but one
            kept.assign(sectors, true);
            kept[prng.below(sectors)] = false;
            break;
        default:
            for (std::size_t i = 0; i < sectors; ++i)
                kept[i] = prng.below(2) == 0;
    }
    return kept;
}

}  // namespace

void survive(std::uint64_t offset, std::string_view octets, core::Prng& prng,
             const std::function<void(std::uint64_t, std::string_view)>& put) {
    if (octets.empty()) return;
    const std::uint64_t end = offset + octets.size();
    const std::uint64_t first = offset / kSector;
    const auto sectors = static_cast<std::size_t>((end - 1) / kSector - first + 1);
    const std::vector<bool> kept = surviving(sectors, prng);
    // The sector after the last one kept, or any, may be torn.
    const auto last = std::find(kept.rbegin(), kept.rend(), true);
    std::size_t torn = static_cast<std::size_t>(kept.rend() - last);
    if (torn == sectors || prng.below(4) == 0) torn = prng.below(sectors);
    if (prng.below(3) == 0) torn = sectors;  // none is
    for (std::size_t i = 0; i < sectors; ++i) {
        const std::uint64_t begin = std::max(offset, (first + i) * kSector);
        const std::uint64_t stop = std::min(end, (first + i + 1) * kSector);
        std::uint64_t length = stop - begin;
        if (i == torn) {
            length = prng.below(length + 1);
        } else if (!kept[i]) {
            continue;
        }
        if (length > 0) put(begin, octets.substr(begin - offset, length));
    }
}

}  // namespace sim
