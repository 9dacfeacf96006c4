package conformance;

import dev.restate.sdk.http.vertx.RestateHttpServer;

/** Serve all services over h2c on one loopback port, given as the only argument. */
final class Main {
  private Main() {}

  public static void main(String[] arguments) {
    RestateHttpServer.fromEndpoint(Everything.endpoint())
        .listen(Integer.parseInt(arguments[0]), "127.0.0.1")
        .onFailure(
            problem -> {
              problem.printStackTrace();
              System.exit(1);
            });
  }
}
