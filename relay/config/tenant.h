// A table [[tenant]] of the configuration: what holds for the mail of one tenant. Its keys are a
// part of the schema; what holds between tables is checked here. Called on the main thread by
// parse_config(), and by the thread that reads a configuration for a reload.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "relay/config/config.h"
#include "relay/config/section.h"

namespace relay {

TenantConfig read_tenant(Section& from);

// No two have a name in common.
void check_distinct(const std::vector<TenantConfig>& tenants, Section& top);

// Keys that are read and kept, and that this version does not act on yet.
void warn_of_keys_without_effect(const TenantConfig& tenant, const std::string& file,
                                 Problems& warnings);

std::shared_ptr<const TenantPolicies> tenant_policies(const Config& config);

}  // namespace relay
