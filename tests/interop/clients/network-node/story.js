// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a client does with a network through fabric-network; prints what came of it.

const fs = require('node:fs');
const { Gateway, Wallets } = require('fabric-network');

const place = JSON.parse(process.argv[2]);
const key = process.argv[3];

async function refused(doing) {
    try {
        await doing;
    } catch (error) {
        return error.message;
    }
    throw new Error('it was not refused');
}

async function story(network) {
    const contract = network.getContract(place.chaincode);
    const told = {};

    const events = [];
    let arrived;
    const arrival = new Promise((resolve) => { arrived = resolve; });
    const listener = async (event) => {
        events.push({ name: event.eventName, payload: event.payload.toString() });
        arrived();
    };
    await contract.addContractListener(listener);
    await contract.submitTransaction('put', key, 'one');
    await arrival;
    contract.removeContractListener(listener);
    told.events = events;
    told.value = (await contract.evaluateTransaction('get', key)).toString();

    // Some are endorsed before another one is committed.
    const several = [...'abcdefgh'].map((name) => contract.submitTransaction('composite', key, name));
    const outcomes = await Promise.allSettled(several);
    told.valid = outcomes.filter((one) => one.status === 'fulfilled').length;
    told.codes = outcomes.filter((one) => one.status === 'rejected').map((one) => one.reason.transactionCode);

    let seen;
    const first = new Promise((resolve) => { seen = resolve; });
    const blocks = async (event) => seen(Number(event.blockNumber));
    await network.addBlockListener(blocks, { startBlock: 1, type: 'full' });
    told.block = await first;
    network.removeBlockListener(blocks);

    told.refused = {
        evaluate: await refused(contract.evaluateTransaction('fail')),
        endorse: await refused(contract.submitTransaction('fail')),
    };
    return told;
}

async function main() {
    const wallet = await Wallets.newInMemoryWallet();
    await wallet.put('user', {
        type: 'X.509',
        mspId: place.mspId,
        credentials: {
            certificate: fs.readFileSync(place.certificate, 'utf8'),
            privateKey: fs.readFileSync(place.key, 'utf8'),
        },
    });
    const gateway = new Gateway();
    const profile = JSON.parse(fs.readFileSync(place.profile, 'utf8'));
    await gateway.connect(profile, {
        wallet, identity: 'user', discovery: { enabled: true, asLocalhost: true },
    });
    try {
        console.log(JSON.stringify(await story(await gateway.getNetwork(place.channel))));
    } finally {
        gateway.disconnect();
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
