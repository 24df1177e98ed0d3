// An API behind the gateway, on the JDK alone: GET /api/me says whose token it was sent.

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetSocketAddress;
import java.net.URL;
import java.net.URLConnection;
import java.security.*;
import java.security.spec.RSAPublicKeySpec;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.Executors;
import java.util.regex.*;

public class Api {
  static final String ISSUER = Objects.requireNonNull(System.getenv("COGNITO_ISSUER"), "COGNITO_ISSUER");
  static final String CLIENT_ID = Objects.requireNonNull(System.getenv("COGNITO_CLIENT_ID"), "COGNITO_CLIENT_ID");
  static final Base64.Decoder BASE64URL = Base64.getUrlDecoder();

  static volatile Map<String, PublicKey> keys = Map.of(); // by kid
  static Instant fetched = Instant.EPOCH;

  public static void main(String[] args) throws IOException {
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "3000"));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.setExecutor(Executors.newFixedThreadPool(16)); // or one request at a time
    server.createContext("/api/me", Api::me);
    server.start();
  }

  static void me(HttpExchange exchange) throws IOException {
    String sent = Objects.requireNonNullElse(exchange.getRequestHeaders().getFirst("Authorization"), "");
    int status = 200;
    String json;
    try {
      json = "{\"sub\":\"" + verify(sent.replaceFirst("^Bearer ", "")) + "\"}";
    } catch (IOException e) {
      status = 503;
      json = "{\"error\":\"no keys to verify tokens by\"}";
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      status = 401;
      json = "{\"error\":\"invalid token\"}";
      exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer error=\"invalid_token\"");
    }
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(status, json.length());
    exchange.getResponseBody().write(json.getBytes(UTF_8));
    exchange.close();
  }

  /** Returns the subject of a good access token. An IOException means that the keys are away, any other that the token is bad. */
  static String verify(String token) throws IOException, GeneralSecurityException {
    String[] parts = token.split("\\.", -1);
    if (parts.length != 3) throw new SignatureException("no token");
    Signature rs256 = Signature.getInstance("SHA256withRSA"); // whatever the token says of its algorithm
    rs256.initVerify(key(member(decoded(parts[0]), "kid")));
    rs256.update((parts[0] + "." + parts[1]).getBytes(UTF_8));
    if (!rs256.verify(BASE64URL.decode(parts[2]))) throw new SignatureException("not signed by this key");
    String claims = decoded(parts[1]);
    if (!member(claims, "iss").equals(ISSUER)
        || Long.parseLong(member(claims, "exp")) <= Instant.now().getEpochSecond()
        || !member(claims, "token_use").equals("access")
        || !member(claims, "client_id").equals(CLIENT_ID)) {
      throw new SignatureException("no access token of this client");
    }
    return member(claims, "sub");
  }

  static String decoded(String part) {
    return new String(BASE64URL.decode(part), UTF_8);
  }

  /** Reads a text without escapes, or a number, of a JSON object. A name that is there twice, be it deeper down, is refused. */
  static String member(String json, String name) {
    Matcher m = Pattern.compile("\"" + name + "\"\\s*:\\s*(?:\"([^\"\\\\]*)\"|(\\d+))").matcher(json);
    if (!m.find()) throw new IllegalArgumentException("no " + name);
    String value = m.group(1) != null ? m.group(1) : m.group(2);
    if (m.find()) throw new IllegalArgumentException("two of " + name);
    return value;
  }

  static PublicKey key(String kid) throws IOException, InvalidKeyException {
    if (!keys.containsKey(kid)) fetchKeys(kid);
    PublicKey key = keys.get(kid);
    if (key == null) throw new InvalidKeyException("no such key");
    return key;
  }

  /** Fetches the keys anew, once in half a minute at most: anybody can write an unknown kid into a token. */
  static synchronized void fetchKeys(String kid) throws IOException {
    if (keys.containsKey(kid) || Instant.now().isBefore(fetched.plusSeconds(30))) return;
    URLConnection connection = new URL(ISSUER + "/.well-known/jwks.json").openConnection();
    connection.setConnectTimeout(5_000); // ms
    connection.setReadTimeout(5_000);
    String set = new String(connection.getInputStream().readAllBytes(), UTF_8);
    Map<String, PublicKey> all = new HashMap<>();
    if (!set.matches("(?s)\\s*\\{\\s*\"keys\"\\s*:\\s*\\[.*]\\s*}\\s*")) throw new IOException("this is no set of keys");
    try {
      for (Matcher m = Pattern.compile("\\{[^{}]*}").matcher(set.substring(set.indexOf('['))); m.find(); ) {
        BigInteger n = new BigInteger(1, BASE64URL.decode(member(m.group(), "n")));
        BigInteger e = new BigInteger(1, BASE64URL.decode(member(m.group(), "e")));
        all.put(member(m.group(), "kid"), KeyFactory.getInstance("RSA").generatePublic(new RSAPublicKeySpec(n, e)));
      }
    } catch (GeneralSecurityException | IllegalArgumentException e) {
      throw new IOException("there is a key that is none", e);
    }
    keys = all;
    fetched = Instant.now();
  }
}
