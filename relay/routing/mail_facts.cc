#include "relay/routing/mail_facts.h"

namespace relay {

MailFacts facts_of(const Recipient& recipient, const Site* site) {
    const Labels& labels = recipient.message->labels();
    MailFacts facts{
        .tenant = labels.tenant->name, .campaign = labels.campaign, .domain = recipient.domain()};
    if (site == nullptr) return facts;
    facts.routed = true;
    facts.site = site->facts.name;
    facts.hosts = site->facts.path.site.hosts;
    facts.provider = site->facts.provider;
    facts.source = site->facts.scope().source;
    return facts;
}

}  // namespace relay
