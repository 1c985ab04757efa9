// SPDX-License-Identifier: Apache-2.0

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.Function;

import org.hyperledger.fabric.contract.ClientIdentity;
import org.hyperledger.fabric.metrics.Metrics;
import org.hyperledger.fabric.shim.ChaincodeBase;
import org.hyperledger.fabric.shim.ChaincodeStub;
import org.hyperledger.fabric.shim.NettyChaincodeServer;
import org.hyperledger.fabric.shim.ledger.KeyModification;
import org.hyperledger.fabric.shim.ledger.KeyValue;
import org.hyperledger.fabric.shim.ledger.QueryResultsIteratorWithMetadata;
import org.hyperledger.fabric.traces.Traces;
import org.json.JSONArray;
import org.json.JSONObject;

/** Chaincode on the Java shim, run in both dial modes. */
public final class Interop extends ChaincodeBase {

    private interface Called {
        byte[] run(ChaincodeStub stub, List<String> args) throws Exception;
    }

    private static final Map<String, Called> FUNCTIONS = Map.ofEntries(
        Map.entry("put", (stub, args) -> {
            stub.putStringState(args.get(0), args.get(1));
            stub.setEvent("put", bytes(args.get(0)));
            return null;
        }),
        Map.entry("get", (stub, args) -> stub.getState(args.get(0))),
        Map.entry("del", (stub, args) -> {
            stub.delState(args.get(0));
            return null;
        }),
        Map.entry("range", (stub, args) ->
            keysOf(stub.getStateByRange(args.get(0), args.get(1)), KeyValue::getKey)),
        Map.entry("page", Interop::page),
        Map.entry("query", (stub, args) ->
            keysOf(stub.getQueryResult(args.get(0)), KeyValue::getKey)),
        Map.entry("history", (stub, args) ->
            keysOf(stub.getHistoryForKey(args.get(0)), KeyModification::getTxId)),
        Map.entry("composite", (stub, args) -> {
            stub.putStringState(
                stub.createCompositeKey("pair", args.toArray(new String[0])).toString(), "x");
            return keysOf(
                stub.getStateByPartialCompositeKey("pair", args.get(0)), KeyValue::getKey);
        }),
        Map.entry("hidden", (stub, args) -> {
            stub.putPrivateData(args.get(0), args.get(1), stub.getTransient().get("value"));
            return bytes(HexFormat.of().formatHex(stub.getPrivateDataHash(args.get(0), "kept")));
        }),
        Map.entry("purge", (stub, args) -> {
            stub.purgePrivateData(args.get(0), args.get(1));
            return null;
        }),
        Map.entry("policy", (stub, args) -> {
            stub.setStateValidationParameter(args.get(0), bytes("policy"));
            return stub.getStateValidationParameter(args.get(0));
        }),
        Map.entry("call", (stub, args) -> {
            Response response = stub.invokeChaincodeWithStringArgs(
                args.get(0), args.subList(2, args.size()), args.get(1));
            return bytes(response.getStatusCode() + ":" + response.getStringPayload());
        }),
        Map.entry("who", (stub, args) -> bytes(new ClientIdentity(stub).getMSPID())),
        Map.entry("fail", (stub, args) -> {
            throw new IllegalArgumentException("as asked");
        }),
        Map.entry("loop", (stub, args) -> {
            while (true) {
                Thread.onSpinWait();
            }
        }),
        Map.entry("die", (stub, args) -> {
            Runtime.getRuntime().halt(3);
            return null;
        }));

    @Override
    public Response init(final ChaincodeStub stub) {
        return newSuccessResponse();
    }

    @Override
    public Response invoke(final ChaincodeStub stub) {
        try {
            return newSuccessResponse(
                FUNCTIONS.get(stub.getFunction()).run(stub, stub.getParameters()));
        } catch (Exception error) {
            return newErrorResponse(error.getMessage());
        }
    }

    private static byte[] page(final ChaincodeStub stub, final List<String> args) {
        QueryResultsIteratorWithMetadata<KeyValue> rows =
            stub.getStateByRangeWithPagination("", "", Integer.parseInt(args.get(0)), args.get(1));
        JSONArray keys = new JSONArray();
        rows.forEach(row -> keys.put(row.getKey()));
        return bytes(new JSONObject()
            .put("keys", keys)
            .put("count", rows.getMetadata().getFetchedRecordsCount())
            .put("bookmark", rows.getMetadata().getBookmark())
            .toString());
    }

    private static <T> byte[] keysOf(final Iterable<T> rows, final Function<T, String> key) {
        List<String> keys = new ArrayList<>();
        rows.forEach(row -> keys.add(key.apply(row)));
        return bytes(new JSONArray(keys).toString());
    }

    private static byte[] bytes(final String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    public static void main(final String[] args) throws Exception {
        Interop chaincode = new Interop();
        chaincode.processEnvironmentOptions();
        if (chaincode.isServer()) {
            // What start() does by itself.
            Properties config = chaincode.getChaincodeConfig();
            Metrics.initialize(config);
            Traces.initialize(config);
            new NettyChaincodeServer(chaincode, chaincode.getChaincodeServerConfig()).start();
        } else {
            chaincode.start(args);
        }
    }
}
