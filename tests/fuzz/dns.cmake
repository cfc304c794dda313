posthaste_fuzz_target(dns_wire USES dns_wire)
