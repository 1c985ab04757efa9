// SPDX-License-Identifier: Apache-2.0

import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.hyperledger.fabric.client.ChaincodeEvent;
import org.hyperledger.fabric.client.CloseableIterator;
import org.hyperledger.fabric.client.Contract;
import org.hyperledger.fabric.client.Gateway;
import org.hyperledger.fabric.client.GatewayException;
import org.hyperledger.fabric.client.Hash;
import org.hyperledger.fabric.client.Network;
import org.hyperledger.fabric.client.Status;
import org.hyperledger.fabric.client.SubmittedTransaction;
import org.hyperledger.fabric.client.Transaction;
import org.hyperledger.fabric.client.identity.Identities;
import org.hyperledger.fabric.client.identity.Signers;
import org.hyperledger.fabric.client.identity.X509Identity;
import org.hyperledger.fabric.protos.peer.FilteredTransaction;
import org.json.JSONArray;
import org.json.JSONObject;

/** What a client does with a network through fabric-gateway; prints what came of it. */
public final class Story {
    private final JSONObject place;
    private final String key;
    private final JSONObject told = new JSONObject();

    private Story(final JSONObject place, final String key) {
        this.place = place;
        this.key = key;
    }

    public static void main(final String[] args) throws Exception {
        new Story(new JSONObject(args[0]), args[1]).run();
    }

    private void run() throws Exception {
        ManagedChannel channel = NettyChannelBuilder
            .forTarget(place.getString("address"), TlsChannelCredentials.newBuilder()
                .trustManager(path("tlsRoot").toFile()).build())
            .overrideAuthority(place.getString("host"))
            .build();
        Gateway.Builder builder = Gateway.newInstance()
            .identity(new X509Identity(place.getString("mspId"),
                Identities.readX509Certificate(Files.readString(path("certificate")))))
            .signer(Signers.newPrivateKeySigner(
                Identities.readPrivateKey(Files.readString(path("key")))))
            .hash(Hash.SHA256)
            .connection(channel);
        try (Gateway gateway = builder.connect()) {
            tell(gateway);
        } finally {
            channel.shutdownNow();
        }
        System.out.println(told);
    }

    private Path path(final String name) {
        return Path.of(place.getString(name));
    }

    private void tell(final Gateway gateway) throws Exception {
        String name = place.getString("chaincode");
        Network network = gateway.getNetwork(place.getString("channel"));
        Contract contract = network.getContract(name);
        CloseableIterator<ChaincodeEvent> events = network.getChaincodeEvents(name);
        contract.submitTransaction("put", key, "one");
        ChaincodeEvent event = first(events, one -> key.equals(text(one.getPayload())));
        told.put("event", new JSONObject()
            .put("name", event.getEventName())
            .put("payload", text(event.getPayload()))
            .put("block", event.getBlockNumber()));
        told.put("value", text(contract.evaluateTransaction("get", key)));
        ChaincodeEvent again = first(network.newChaincodeEventsRequest(name)
            .startBlock(event.getBlockNumber()).build().getEvents(), one -> true);
        told.put("replayed", again.getTransactionId().equals(event.getTransactionId()));
        told.put("statuses", statuses(network, contract));
        told.put("block", first(network.newBlockEventsRequest()
            .startBlock(1).build().getEvents(), one -> true).getHeader().getNumber());
        told.put("refused", new JSONObject()
            .put("evaluate", refused(() -> contract.evaluateTransaction("fail")))
            .put("endorse", refused(() -> contract.submitTransaction("fail")))
            .put("chaincode", refused(() ->
                network.getContract("nobody").evaluateTransaction("get", "a")))
            .put("channel", refused(() ->
                gateway.getNetwork("nowhere").getContract("a").evaluateTransaction("get", "a"))));
    }

    private JSONArray statuses(final Network network, final Contract contract) throws Exception {
        List<Transaction> transactions = new ArrayList<>();
        for (String name : List.of("a", "b")) {
            transactions.add(
                contract.newProposal("composite").addArguments(key, name).build().endorse());
        }
        JSONArray statuses = new JSONArray();
        for (Transaction transaction : transactions) {
            SubmittedTransaction commit = transaction.submitAsync();
            Status status = commit.getStatus();
            List<FilteredTransaction> filtered = first(network.newFilteredBlockEventsRequest()
                .startBlock(status.getBlockNumber()).build().getEvents(), one -> true)
                .getFilteredTransactionsList();
            for (FilteredTransaction one : filtered) {
                if (one.getTxid().equals(commit.getTransactionId())) {
                    statuses.put(new JSONObject()
                        .put("code", status.getCode().getNumber())
                        .put("successful", status.isSuccessful())
                        .put("filtered", one.getTxValidationCode().getNumber()));
                }
            }
        }
        return statuses;
    }

    private static JSONObject refused(final Callable<byte[]> doing) throws Exception {
        try {
            doing.call();
        } catch (GatewayException error) {
            JSONArray details = new JSONArray();
            error.getDetails().forEach(one -> details.put(new JSONObject()
                .put("mspId", one.getMspId()).put("message", one.getMessage())));
            return new JSONObject()
                .put("code", error.getStatus().getCode().value()).put("details", details);
        }
        throw new IllegalStateException("it was not refused");
    }

    private static <T> T first(final CloseableIterator<T> events, final Predicate<T> wanted) {
        try (events) {
            while (events.hasNext()) {
                T event = events.next();
                if (wanted.test(event)) {
                    return event;
                }
            }
        }
        throw new IllegalStateException("the events ended");
    }

    private static String text(final byte[] bytes) {
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
