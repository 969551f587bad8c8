import java.io.ByteArrayInputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

/** Calls each of the addresses that it is given with Java's own client and its defaults, until its input ends. */
class Client {
    static final AtomicBoolean over = new AtomicBoolean();
    static final AtomicInteger failed = new AtomicInteger();

    public static void main(String[] addresses) throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (String address : addresses) {
            Thread thread = new Thread(() -> call(address));
            thread.start();
            threads.add(thread);
        }
        System.in.read();
        over.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        System.exit(failed.get() == 0 ? 0 : 1);
    }

    static void call(String address) {
        HttpClient client = HttpClient.newHttpClient();
        int calls = 0;
        byte[] body = new byte[40_000];
        try {
            String digest = body.length + " " + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));
            do {
                expect(client, get(address), "hello");
                expect(client, post(address, BodyPublishers.ofByteArray(body)), digest);
                expect(client, post(address, BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))), digest);
                List<CompletableFuture<Void>> together = new ArrayList<>();
                for (int i = 0; i < 4; i++) {
                    HttpRequest request = i % 2 == 0 ? get(address) : post(address, BodyPublishers.ofByteArray(body));
                    String want = i % 2 == 0 ? "hello" : digest;
                    together.add(client.sendAsync(request, BodyHandlers.ofString())
                            .thenAccept(answer -> check(request, answer.statusCode(), answer.body(), want)));
                }
                CompletableFuture.allOf(together.toArray(CompletableFuture[]::new)).join();
                calls += 7;
            } while (!over.get());
        } catch (Exception e) {
            failed.incrementAndGet();
            System.out.println(address + ": after " + calls + " calls: " + e);
        }
        System.out.println(address + ": " + calls + " calls");
    }

    static HttpRequest get(String address) {
        return HttpRequest.newBuilder(URI.create("http://" + address + "/hello")).build();
    }

    static HttpRequest post(String address, BodyPublisher body) {
        return HttpRequest.newBuilder(URI.create("http://" + address + "/digest")).POST(body).build();
    }

    static void expect(HttpClient client, HttpRequest request, String want) throws Exception {
        var answer = client.send(request, BodyHandlers.ofString());
        check(request, answer.statusCode(), answer.body(), want);
    }

    static void check(HttpRequest request, int status, String body, String want) {
        if (status != 200 || !body.equals(want)) {
            throw new IllegalStateException(request.method() + ": " + status + " " + body);
        }
    }
}
