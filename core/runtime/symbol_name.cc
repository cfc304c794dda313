#include "core/runtime/symbol_name.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include <cxxabi.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace core {

namespace {

// The executable as a file, mapped for as long as this lives.
class Image {
  public:
    Image() {
        const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
        struct stat status{};
        if (file >= 0 && ::fstat(file, &status) == 0) {
            size_ = static_cast<std::size_t>(status.st_size);
            void* const memory = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
            if (memory != MAP_FAILED) octets_ = static_cast<const char*>(memory);
        }
        if (file >= 0) ::close(file);
    }
    ~Image() {
        if (octets_ != nullptr) ::munmap(const_cast<char*>(octets_), size_);
    }
    Image(const Image&) = delete;
    Image& operator=(const Image&) = delete;

    // The name of the function that covers an offset from the load address; null when none does.
    const char* function_at(std::uint64_t offset) const {
        if (octets_ == nullptr || size_ < sizeof(Elf64_Ehdr)) return nullptr;
        const auto& head = at<Elf64_Ehdr>(0);
        const std::span sections(&at<Elf64_Shdr>(head.e_shoff), head.e_shnum);
        for (const Elf64_Shdr& section : sections) {
            if (section.sh_type != SHT_SYMTAB) continue;
            const char* const names = octets_ + sections[section.sh_link].sh_offset;
            for (const Elf64_Sym& symbol : std::span(&at<Elf64_Sym>(section.sh_offset),
                                                     section.sh_size / sizeof(Elf64_Sym))) {
                const bool function = ELF64_ST_TYPE(symbol.st_info) == STT_FUNC;
                if (function && offset >= symbol.st_value &&
                    offset < symbol.st_value + symbol.st_size) {
                    return names + symbol.st_name;
                }
            }
        }
        return nullptr;
    }

  private:
    template <typename T>
    const T& at(std::uint64_t offset) const {
        return *reinterpret_cast<const T*>(octets_ + offset);
    }
    const char* octets_ = nullptr;
    std::size_t size_ = 0;
};

std::uint64_t load_address() {
    std::uint64_t base = 0;
    // The first object is the executable.
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* result) {
            *static_cast<std::uint64_t*>(result) = info->dlpi_addr;
            return 1;
        },
        &base);
    return base;
}

}  // namespace

std::string type_name(const char* mangled) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> readable(
        abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
    return readable != nullptr ? readable.get() : mangled;
}

std::string symbol_name(const void* address) {
    const std::uint64_t offset = reinterpret_cast<std::uint64_t>(address) - load_address();
    const Image image;
    const char* const name = image.function_at(offset);
    char place[32];
    std::snprintf(place, sizeof place, "+0x%llx", static_cast<unsigned long long>(offset));
    return name != nullptr ? type_name(name) + " (" + place + ")" : place;
}

}  // namespace core
