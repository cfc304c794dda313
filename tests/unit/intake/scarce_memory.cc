#include "tests/unit/intake/scarce_memory.h"

#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

struct Watch {
    bool on = false;
    bool failed = false;
    std::size_t fails = 0;  // which one
    std::size_t seen = 0;
    std::size_t largest = 0;
};
thread_local Watch watch;

void* allocate(std::size_t octets) {
    if (watch.on && octets >= relay_test::ScarceMemory::kLarge) {
        watch.largest = std::max(watch.largest, octets);
        if (++watch.seen == watch.fails) {
            watch.failed = true;
            throw std::bad_alloc();
        }
    }
    if (void* const memory = std::malloc(std::max<std::size_t>(octets, 1))) return memory;
    throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t octets) {
    return allocate(octets);
}
void* operator new[](std::size_t octets) {
    return allocate(octets);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace relay_test {

ScarceMemory::ScarceMemory(std::size_t fails) {
    watch = {.on = true, .fails = fails};
}

ScarceMemory::~ScarceMemory() {
    watch.on = false;
}

bool ScarceMemory::failed() const {
    return watch.failed;
}

std::size_t ScarceMemory::largest() const {
    return watch.largest;
}

}  // namespace relay_test
