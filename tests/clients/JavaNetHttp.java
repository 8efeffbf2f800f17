// The JDK's own client, java.net.http.WebSocket. What is printed, and for whom: see run.

import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

class JavaNetHttp {
  static final int[] SIZES = {0, 1, 125, 126, 65535, 65536};
  static final int LIMIT_BYTES = 65536;
  static final int PINGS = 20; // more than the server sends to one that does not answer
  static final int SECONDS = 20;

  static final HttpClient client = HttpClient.newHttpClient();
  static String first;
  static String second;

  interface Check {
    void run() throws Exception;
  }

  // Puts messages together again, and hands everything that arrives to the one who waits for it.
  static class Inbox implements WebSocket.Listener {
    final BlockingQueue<Object> messages = new LinkedBlockingQueue<>();
    final BlockingQueue<byte[]> pings = new LinkedBlockingQueue<>();
    final BlockingQueue<byte[]> pongs = new LinkedBlockingQueue<>();
    final CompletableFuture<Integer> closed = new CompletableFuture<>();
    private final StringBuilder text = new StringBuilder();
    private ByteBuffer binary = ByteBuffer.allocate(0);

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
      text.append(part);
      if (last) {
        messages.add(text.toString());
        text.setLength(0);
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean last) {
      binary = ByteBuffer.allocate(binary.limit() + part.remaining()).put(binary).put(part).flip();
      if (last) {
        messages.add(binary);
        binary = ByteBuffer.allocate(0);
      }
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onPing(WebSocket socket, ByteBuffer payload) {
      pings.add(bytesOf(payload));
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
      pongs.add(bytesOf(payload));
      socket.request(1);
      return null;
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
      closed.complete(code);
      messages.add("closed with " + code + " " + reason); // whoever waits for a message should know
      return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable error) {
      closed.completeExceptionally(error);
      messages.add(error);
    }
  }

  // A connection with its inbox.
  static class Peer implements AutoCloseable {
    final Inbox inbox = new Inbox();
    final WebSocket socket;

    Peer(String url, String origin, String... subprotocols) throws Exception {
      WebSocket.Builder builder = client.newWebSocketBuilder();
      if (origin != null) builder.header("Origin", origin);
      if (subprotocols.length > 0)
        builder.subprotocols(
            subprotocols[0], Arrays.copyOfRange(subprotocols, 1, subprotocols.length));
      socket = soon(builder.buildAsync(URI.create(url), inbox));
    }

    Peer() throws Exception {
      this(first + "/echo", null);
    }

    void send(Object message) throws Exception {
      if (message instanceof String text) soon(socket.sendText(text, true));
      else soon(socket.sendBinary(((ByteBuffer) message).duplicate(), true));
    }

    void expect(Object message) throws Exception {
      same(take(inbox.messages), message);
    }

    void echoes(Object message) throws Exception {
      send(message);
      expect(message);
    }

    @Override
    public void close() {
      socket.abort();
    }
  }

  static byte[] bytesOf(ByteBuffer buffer) {
    byte[] bytes = new byte[buffer.remaining()];
    buffer.get(bytes);
    return bytes;
  }

  static <T> T soon(CompletableFuture<T> future) throws Exception {
    return future.get(SECONDS, TimeUnit.SECONDS);
  }

  static <T> T take(BlockingQueue<T> queue) throws Exception {
    T item = queue.poll(SECONDS, TimeUnit.SECONDS);
    if (item == null) throw new Exception("nothing came");
    return item;
  }

  static void same(Object got, Object expected) throws Exception {
    if (!expected.equals(got))
      throw new Exception("expected " + brief(expected) + ", got " + brief(got));
  }

  static String brief(Object object) {
    String text = String.valueOf(object);
    return text.length() <= 200 ? text : text.substring(0, 200) + "…";
  }

  static ByteBuffer pattern(int size) {
    ByteBuffer data = ByteBuffer.allocate(size);
    for (int i = 0; i < size; ++i) data.put((byte) (i * 7));
    return data.flip();
  }

  static void echoesText() throws Exception {
    try (Peer peer = new Peer()) {
      for (int size : SIZES) peer.echoes("abcdefghijklm".repeat(size / 13 + 1).substring(0, size));
    }
  }

  static void echoesBinary() throws Exception {
    try (Peer peer = new Peer()) {
      for (int size : SIZES) peer.echoes(pattern(size));
    }
  }

  static void echoesNonAscii() throws Exception {
    try (Peer peer = new Peer()) {
      for (String text :
          List.of("Grüße, Jürgen", "日本語のテキスト", "🦀🚀🇫🇷", "\0 \udbff\udfff \u007f", "é".repeat(32768)))
        peer.echoes(text);
    }
  }

  static void keepsOrder() throws Exception {
    String[] messages = new String[2000];
    for (int i = 0; i < messages.length; ++i)
      messages[i] = i + " " + "x".repeat(i % 100 == 0 ? 20000 : i % 300);
    try (Peer peer = new Peer()) {
      for (String message : messages) peer.send(message);
      for (String message : messages) peer.expect(message);
    }
  }

  static void sendsFragments() throws Exception {
    try (Peer peer = new Peer()) {
      for (String part : List.of("frag", "", "men")) soon(peer.socket.sendText(part, false));
      soon(peer.socket.sendPing(ByteBuffer.allocate(0))); // may come between them (RFC 6455 §5.4)
      soon(peer.socket.sendText("ts äö", true));
      peer.expect("fragments äö");

      ByteBuffer whole = pattern(60000);
      for (int at = 0; at < 60000; at += 300)
        soon(peer.socket.sendBinary(whole.slice(at, 300), at + 300 == 60000));
      peer.expect(whole);
    }
  }

  static void getsPong() throws Exception {
    try (Peer peer = new Peer()) {
      for (byte[] payload : List.of(new byte[0], "here?".getBytes(), bytesOf(pattern(125)))) {
        soon(peer.socket.sendPing(ByteBuffer.wrap(payload)));
        same(ByteBuffer.wrap(take(peer.inbox.pongs)), ByteBuffer.wrap(payload));
      }
    }
  }

  static void answersPings() throws Exception {
    try (Peer peer = new Peer(second + "/echo", null)) {
      for (int i = 0; i < PINGS; ++i) take(peer.inbox.pings);
      peer.echoes("still here");
    }
  }

  static void agreesOnSubprotocol() throws Exception {
    try (Peer peer = new Peer(first + "/echo", null, "chat.v1", "chat.v2")) {
      same(peer.socket.getSubprotocol(), "chat.v2");
    }
    try (Peer peer = new Peer(first + "/echo", null, "chat.v1", "other")) {
      same(peer.socket.getSubprotocol(), "chat.v1");
    }
    try (Peer peer = new Peer(first + "/echo", null, "other")) {
      same(peer.socket.getSubprotocol(), "");
    }
  }

  static void closedWith(int code, Send send) throws Exception {
    try (Peer peer = new Peer()) {
      try {
        send.to(peer);
      } catch (ExecutionException toldBeforeAllWasSent) {
        // The close frame says what there is to say.
      }
      same(soon(peer.inbox.closed), code);
    }
  }

  interface Send {
    void to(Peer peer) throws Exception;
  }

  static void closes() throws Exception {
    for (int code : new int[] {1000, 3000, 4001})
      closedWith(code, peer -> soon(peer.socket.sendClose(code, "bye")));
  }

  static void isClosedPastLimit() throws Exception {
    closedWith(1009, peer -> peer.send("x".repeat(LIMIT_BYTES + 1)));
    closedWith(1009, peer -> peer.send(pattern(1 << 20)));
    closedWith(
        1009,
        peer -> {
          soon(peer.socket.sendBinary(pattern(LIMIT_BYTES), false));
          soon(peer.socket.sendBinary(pattern(1), true));
        });
  }

  static void refusedWith(int status, String url, String origin) throws Exception {
    try (Peer peer = new Peer(url, origin)) {
      throw new Exception("expected " + status + ", got a connection");
    } catch (ExecutionException error) {
      if (!(error.getCause() instanceof WebSocketHandshakeException refusal)) throw error;
      same(refusal.getResponse().statusCode(), status);
    }
  }

  static void isRefusedAtUnknownPath() throws Exception {
    for (String path : List.of("/nothing", "/", "/echo/x")) refusedWith(404, first + path, null);
  }

  static void isRefusedFromOtherOrigin() throws Exception {
    for (String origin : List.of("http://elsewhere.example", "http://127.0.0.1", "null"))
      refusedWith(403, first + "/echo", origin);
    refusedWith(403, second + "/echo", "https://example.com.evil.test");
  }

  static void isWelcomeFromAllowedOrigin() throws Exception {
    for (String[] row :
        new String[][] {
          {first, first.replace("ws:", "http:")},
          {second, "http://127.0.0.1:1234"},
          {second, "https://app.example.com"}
        }) {
      try (Peer peer = new Peer(row[0] + "/echo", row[1])) {
        peer.echoes("welcome");
      }
    }
  }

  // By hand: the client speaks version 13 only.
  static void isRefusedForVersion() throws Exception {
    URI server = URI.create(first);
    try (Socket socket = new Socket(server.getHost(), server.getPort())) {
      socket.setSoTimeout(SECONDS * 1000);
      String request =
          "GET /echo HTTP/1.1\r\nHost: " + server.getAuthority() + "\r\nUpgrade: websocket\r\n"
              + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
              + "Sec-WebSocket-Version: 12\r\n\r\n";
      socket.getOutputStream().write(request.getBytes(StandardCharsets.US_ASCII));
      byte[] answer = socket.getInputStream().readAllBytes(); // the server closes
      String head = new String(answer, StandardCharsets.US_ASCII);
      same(head.split(" ")[1], "426");
      same(head.contains("\r\nSec-WebSocket-Version: 13\r\n"), true);
    }
  }

  static void isToldWhenServerLeaves() throws Exception {
    try (Peer peer = new Peer()) {
      peer.echoes("before");
      System.out.println("leave");
      same(soon(peer.inbox.closed), 1001);
    }
  }

  public static void main(String[] arguments) {
    first = arguments[0];
    second = arguments[1];
    Map<String, Check> checks = new LinkedHashMap<>();
    checks.put("echoes text", JavaNetHttp::echoesText);
    checks.put("echoes binary", JavaNetHttp::echoesBinary);
    checks.put("echoes text that is not ASCII", JavaNetHttp::echoesNonAscii);
    checks.put("gets many messages back in order", JavaNetHttp::keepsOrder);
    checks.put("sends a message in fragments", JavaNetHttp::sendsFragments);
    checks.put("gets a pong for its ping", JavaNetHttp::getsPong);
    checks.put("answers the server's pings", JavaNetHttp::answersPings);
    checks.put("agrees on a subprotocol", JavaNetHttp::agreesOnSubprotocol);
    checks.put("closes with a code and gets it back", JavaNetHttp::closes);
    checks.put("is closed with 1009 past the limit", JavaNetHttp::isClosedPastLimit);
    checks.put("is refused with 404 at an unknown path", JavaNetHttp::isRefusedAtUnknownPath);
    checks.put("is refused with 403 from another origin", JavaNetHttp::isRefusedFromOtherOrigin);
    checks.put(
        "is welcome from its own and from an allowed origin",
        JavaNetHttp::isWelcomeFromAllowedOrigin);
    checks.put("is refused with 426 for another version", JavaNetHttp::isRefusedForVersion);
    checks.put("is told 1001 when the server leaves", JavaNetHttp::isToldWhenServerLeaves);

    boolean failed = false;
    for (Map.Entry<String, Check> check : checks.entrySet()) {
      try {
        check.getValue().run();
        System.out.println("ok " + check.getKey());
      } catch (Exception error) {
        failed = true;
        System.out.println("not ok " + check.getKey() + ": " + error);
      }
    }
    System.exit(failed ? 1 : 0);
  }
}
