// SPDX-License-Identifier: Apache-2.0
'use strict';

// What a client does with a network through fabric-gateway; prints what came of it.

const crypto = require('node:crypto');
const fs = require('node:fs');
const grpc = require('@grpc/grpc-js');
const { connect, hash, signers } = require('@hyperledger/fabric-gateway');

const place = JSON.parse(process.argv[2]);
const key = process.argv[3];
const text = (bytes) => Buffer.from(bytes).toString();

async function refused(doing) {
    try {
        await doing;
    } catch (error) {
        return {
            code: error.code,
            details: (error.details || []).map(({ mspId, message }) => ({ mspId, message })),
        };
    }
    throw new Error('it was not refused');
}

async function first(events, wanted) {
    for await (const event of events) {
        if (wanted(event)) {
            events.close();
            return event;
        }
    }
    throw new Error('the events ended');
}

async function story(gateway) {
    const network = gateway.getNetwork(place.channel);
    const contract = network.getContract(place.chaincode);
    const told = {};

    const events = await network.getChaincodeEvents(place.chaincode);
    const coming = first(events, (event) => text(event.payload) === key);
    await contract.submitTransaction('put', key, 'one');
    const event = await coming;
    told.event = { name: event.eventName, payload: text(event.payload), block: Number(event.blockNumber) };
    told.value = text(await contract.evaluateTransaction('get', key));
    const again = await network.getChaincodeEvents(place.chaincode, { startBlock: event.blockNumber });
    told.replayed = (await first(again, () => true)).transactionId === event.transactionId;

    const transactions = [];
    for (const name of ['a', 'b']) {
        const proposal = contract.newProposal('composite', { arguments: [key, name] });
        transactions.push(await proposal.endorse());
    }
    told.statuses = [];
    for (const transaction of transactions) {
        const commit = await transaction.submit();
        const status = await commit.getStatus();
        told.statuses.push({ code: status.code, successful: status.successful });
        const blocks = await network.getFilteredBlockEvents({ startBlock: status.blockNumber });
        const block = await first(blocks, () => true);
        const found = block.getFilteredTransactionsList().find((one) => one.getTxid() === commit.getTransactionId());
        told.statuses.at(-1).filtered = found.getTxValidationCode();
    }
    const blocks = await network.getBlockEvents({ startBlock: BigInt(1) });
    told.block = (await first(blocks, () => true)).getHeader().getNumber();

    told.refused = {
        evaluate: await refused(contract.evaluateTransaction('fail')),
        endorse: await refused(contract.submitTransaction('fail')),
        chaincode: await refused(network.getContract('nobody').evaluateTransaction('get', 'a')),
        channel: await refused(gateway.getNetwork('nowhere').getContract('a').evaluateTransaction('get', 'a')),
    };
    return told;
}

async function main() {
    const roots = grpc.credentials.createSsl(fs.readFileSync(place.tlsRoot));
    const options = { 'grpc.ssl_target_name_override': place.host };
    const client = new grpc.Client(place.address, roots, options);
    const gateway = connect({
        client,
        hash: hash.sha256,
        identity: { mspId: place.mspId, credentials: fs.readFileSync(place.certificate) },
        signer: signers.newPrivateKeySigner(crypto.createPrivateKey(fs.readFileSync(place.key))),
    });
    try {
        console.log(JSON.stringify(await story(gateway)));
    } finally {
        gateway.close();
        client.close();
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
