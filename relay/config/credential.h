// A table [[credential]] of the configuration: a name and a secret by which a program or a person
// asks over HTTP, and what it may do. A part of the parser; see relay/config/parse.h.
#pragma once

#include <string>
#include <vector>

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

// What is wrong is among the section's problems; the credential is then not to be used.
CredentialConfig read_credential(Section& from);
void check_distinct(const std::vector<CredentialConfig>& credentials, Section& top);
// Reads secret_file. What is not there or not right, and a file that everybody may read, is a
// problem with the line that names it.
void load_credential(CredentialConfig& credential, const std::string& config_file,
                     Problems& problems);

}  // namespace relay
