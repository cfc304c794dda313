#include "relay/spool/file_reserve.h"

namespace relay {

bool no_descriptor(const std::error_code& error) {
    return error == std::errc::too_many_files_open ||
           error == std::errc::too_many_files_open_in_system;
}

bool passes(const std::error_code& error) {
    return no_descriptor(error) || error == std::errc::not_enough_memory;
}

FileReserve::~FileReserve() {
    for (const core::Handle one : spare_)
        disk_.close(one);
}

void FileReserve::fill() {
    while (spare_.size() < most_) {
        const auto one = disk_.open(directory_, core::Access::directory);
        if (!one) return;
        spare_.push_back(*one);
    }
}

core::IoResult<core::Handle> FileReserve::open(const std::string& path, core::Access access) {
    auto file = disk_.open(path, access);
    // The one that is given up may be taken by somebody else in between: then the next one.
    while (!file && no_descriptor(file.error()) && !spare_.empty()) {
        disk_.close(spare_.back());
        spare_.pop_back();
        file = disk_.open(path, access);
    }
    return file;
}

void FileReserve::close(core::Handle file) {
    disk_.close(file);
    fill();
}

}  // namespace relay
