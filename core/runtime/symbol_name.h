// symbol_name: the name of the function at an address of this program, for messages about our own
// bugs: "relay::Path::run() [clone .resume] (core+0x1234)". Reads the symbol table of the
// executable, so that functions without a dynamic symbol (coroutines, lambdas) have names too.
// Slow; never on a path that serves anybody. Any thread.
#pragma once

#include <string>

namespace core {

std::string symbol_name(const void* address);
std::string type_name(const char* mangled);  // of std::type_info::name()

}  // namespace core
