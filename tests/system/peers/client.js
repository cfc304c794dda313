// Injects messages by nodemailer, as a newsletter platform would: a pool of connections, the content
// as it is. Reads JSON from standard input: {port, connections, messages: [{from, to: [], raw}]}
// with raw in base64; writes one JSON line per message.
'use strict';
const nodemailer = require('nodemailer');

async function main() {
    const chunks = [];
    for await (const chunk of process.stdin) chunks.push(chunk);
    const job = JSON.parse(Buffer.concat(chunks));
    const transport = nodemailer.createTransport({
        host: '127.0.0.1', port: job.port, secure: false, ignoreTLS: true,
        pool: true, maxConnections: job.connections, maxMessages: Infinity, name: 'client.test',
    });
    let failed = 0;
    await Promise.all(job.messages.map(async ({ from, to, raw }) => {
        try {
            const info = await transport.sendMail({
                envelope: { from, to }, raw: Buffer.from(raw, 'base64'),
            });
            console.log(JSON.stringify({ response: info.response, accepted: info.accepted }));
        } catch (error) {
            failed += 1;
            console.log(JSON.stringify({ error: String(error) }));
        }
    }));
    transport.close();
    process.exitCode = failed ? 1 : 0;
}
main();
