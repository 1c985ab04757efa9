// SPDX-License-Identifier: Apache-2.0
'use strict';

const { Contract } = require('fabric-contract-api');

async function keysOf(iterator) {
    const keys = [];
    for (let row = await iterator.next(); ; row = await iterator.next()) {
        if (row.value) {
            keys.push(row.value.key || row.value.txId);
        }
        if (row.done) {
            await iterator.close();
            return JSON.stringify(keys);
        }
    }
}

class Interop extends Contract {
    async put(ctx, key, value) {
        await ctx.stub.putState(key, Buffer.from(value));
        ctx.stub.setEvent('put', Buffer.from(key));
    }

    async get(ctx, key) {
        const value = await ctx.stub.getState(key);
        return value.toString();
    }

    async del(ctx, key) {
        await ctx.stub.deleteState(key);
    }

    async range(ctx, start, end) {
        return keysOf(await ctx.stub.getStateByRange(start, end));
    }

    async page(ctx, size, bookmark) {
        const { iterator, metadata } = await ctx.stub.getStateByRangeWithPagination('', '', Number(size), bookmark);
        const keys = JSON.parse(await keysOf(iterator));
        return JSON.stringify({ keys, count: metadata.fetchedRecordsCount, bookmark: metadata.bookmark });
    }

    async query(ctx, query) {
        return keysOf(await ctx.stub.getQueryResult(query));
    }

    async history(ctx, key) {
        return keysOf(await ctx.stub.getHistoryForKey(key));
    }

    async composite(ctx, first, second) {
        await ctx.stub.putState(ctx.stub.createCompositeKey('pair', [first, second]), Buffer.from('x'));
        return keysOf(await ctx.stub.getStateByPartialCompositeKey('pair', [first]));
    }

    async hidden(ctx, collection, key) {
        await ctx.stub.putPrivateData(collection, key, ctx.stub.getTransient().get('value'));
        const hash = await ctx.stub.getPrivateDataHash(collection, 'kept');
        return Buffer.from(hash).toString('hex');
    }

    async policy(ctx, key) {
        await ctx.stub.setStateValidationParameter(key, Buffer.from('policy'));
        const policy = await ctx.stub.getStateValidationParameter(key);
        return policy ? Buffer.from(policy).toString() : '';
    }

    async call(ctx, name, channel, called) {
        const response = await ctx.stub.invokeChaincode(name, [called], channel);
        return response.status + ':' + response.payload.toString();
    }

    async who(ctx) {
        return ctx.clientIdentity.getMSPID();
    }

    async fail() {
        throw new Error('as asked');
    }

    async loop() {
        for (;;);
    }

    async die() {
        process.exit(3);
    }
}

exports.contracts = [Interop];
