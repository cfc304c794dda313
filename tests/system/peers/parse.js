// Reads one message from standard input by mailparser, as a platform that takes in bounces would, and
// writes what it found as one line of JSON.
'use strict';
const { simpleParser } = require('mailparser');

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const mail = await simpleParser(Buffer.concat(chunks), { keepDeliveryStatus: true });
    const type = mail.headers.get('content-type');
    console.log(JSON.stringify({
        subject: mail.subject, from: mail.from.value[0].address, to: mail.to.value[0].address,
        inReplyTo: mail.inReplyTo, references: mail.references,
        autoSubmitted: mail.headers.get('auto-submitted'),
        type: type.value, reportType: type.params['report-type'], text: mail.text,
        attachments: mail.attachments.map(({ contentType, content }) =>
            ({ contentType, content: content.toString('latin1') })),
    }));
}
main();
