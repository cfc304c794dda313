// What mailauth makes of MTA-STS policies: {policies, hosts} as JSON in, for each policy null or
// {mode, max_age, mx, allows} out. argv: mailauth's lib/mta-sts.js.
const { parsePolicy, validateMx } = require(process.argv[2]);
const { policies, hosts } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));

const verdicts = policies.map(text => {
    let policy;
    try {
        policy = parsePolicy(text);
    } catch (error) {
        return null;
    }
    return {
        mode: policy.mode,
        max_age: policy.maxAge,
        mx: policy.mx || [],
        allows: hosts.map(host => validateMx(host, policy).valid)
    };
});
console.log(JSON.stringify(verdicts));
