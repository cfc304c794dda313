#include "relay/message/reply.h"

namespace relay {

std::string to_string(const ReplyView& reply) {
    std::string line;
    if (reply.code != 0) line = std::to_string(reply.code) + " ";
    if (reply.enhanced.klass != 0) {
        line.append(std::to_string(reply.enhanced.klass)).append(".");
        line.append(std::to_string(reply.enhanced.subject)).append(".");
        line.append(std::to_string(reply.enhanced.detail)).append(" ");
    }
    return line.append(reply.text);
}

}  // namespace relay
