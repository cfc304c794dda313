#include "relay/node/show_path.h"

#include <cstdio>
#include <string>
#include <string_view>

#include "relay/shaping/built_in.h"

namespace relay {

int show_path(const std::filesystem::path& config_file, const PathQuestion& question) {
    const auto checked = check_config(config_file);
    if (!checked) {
        for (const Problem& problem : checked.error())
            std::fprintf(stderr, "%s\n", problem.to_string().c_str());
        return 1;
    }
    const std::string report = path_report(*checked, question);
    std::fputs(report.c_str(), stdout);
    return 0;
}

int show_built_in_shaping() {
    const std::string_view text = built_in_shaping_text();
    std::fwrite(text.data(), 1, text.size(), stdout);
    return 0;
}

}  // namespace relay
