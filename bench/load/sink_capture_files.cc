#include "bench/load/sink_capture_files.h"

#include <cstdio>
#include <fstream>

#include <fmt/format.h>

namespace bench {

void CaptureFiles::store(std::string_view id, std::string_view sender,
                         const std::vector<std::string>& recipients, std::string_view content) {
    const std::string path = fmt::format("{}/{:06}-{}.eml", directory_, ++stored_, shard_);
    const std::string fresh = path + ".new";
    std::ofstream file(fresh, std::ios::binary);
    file << "X-Id: " << id << "\r\nX-Sender: " << sender << "\r\n";
    for (const auto& recipient : recipients)
        file << "X-Recipient: " << recipient << "\r\n";
    file << "\r\n" << content;
    file.close();
    if (!file || std::rename(fresh.c_str(), path.c_str()) != 0) std::perror("smtp_sink: capture");
}

}  // namespace bench
