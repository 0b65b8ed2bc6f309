import com.github.scribejava.core.builder.ServiceBuilder;
import com.github.scribejava.core.builder.api.DefaultApi20;
import com.github.scribejava.core.model.OAuth2AccessToken;
import com.github.scribejava.core.model.OAuth2AccessTokenErrorResponse;
import com.github.scribejava.core.model.OAuthRequest;
import com.github.scribejava.core.model.Verb;
import com.github.scribejava.core.oauth.OAuth20Service;
import com.github.scribejava.core.oauth2.OAuth2Error;
import com.github.scribejava.core.oauth2.clientauthentication.ClientAuthentication;
import com.github.scribejava.core.oauth2.clientauthentication.HttpBasicAuthenticationScheme;
import com.github.scribejava.core.oauth2.clientauthentication.RequestBodyAuthenticationScheme;
import com.github.scribejava.core.revoke.TokenTypeHint;

/** ScribeJava as its users configure it. */
final class Scribe {
    public static void main(String[] args) throws Exception {
        for (ClientAuthentication by : new ClientAuthentication[] {HttpBasicAuthenticationScheme.instance(), RequestBodyAuthenticationScheme.instance()}) {
            OAuth20Service backend = service(Fob.of("client_id"), Fob.of("client_secret"), by);
            OAuth2AccessToken ipad = login(backend, "read device_ipad");
            Fob.same(ipad.getScope(), "read device_ipad");
            Fob.same(login(backend, "device_ipad read").getAccessToken(), ipad.getAccessToken());
            OAuth2AccessToken iphone = login(backend, "read device_iphone");
            Fob.check(!iphone.getAccessToken().equals(ipad.getAccessToken()), "two devices, one token");
            Fob.same(backend.refreshAccessToken(ipad.getRefreshToken()).getAccessToken(), ipad.getAccessToken()); // it is young

            backend.revokeToken(ipad.getAccessToken(), TokenTypeHint.ACCESS_TOKEN);
            Fob.same(me(backend, ipad), 401);
            Fob.same(me(backend, iphone), 200);
            OAuth2AccessTokenErrorResponse ended = Fob.refused(OAuth2AccessTokenErrorResponse.class, () -> backend.refreshAccessToken(ipad.getRefreshToken()));
            Fob.same(ended.getError(), OAuth2Error.INVALID_GRANT);
            Fob.same(backend.getAccessTokenClientCredentialsGrant("read").getScope(), "read");
        }

        // A public client sends its id as Basic with an empty password.
        OAuth20Service app = service(Fob.of("public_client_id"), "", HttpBasicAuthenticationScheme.instance());
        OAuth2AccessToken pixel = login(app, "read device_pixel");
        OAuth2AccessToken rotated = app.refreshAccessToken(pixel.getRefreshToken());
        Fob.check(!rotated.getRefreshToken().equals(pixel.getRefreshToken()), "not rotated");
        app.revokeToken(rotated.getRefreshToken(), TokenTypeHint.REFRESH_TOKEN);
        Fob.same(me(app, rotated), 401);
    }

    private static OAuth20Service service(String id, String secret, ClientAuthentication by) {
        ServiceBuilder builder = new ServiceBuilder(id);
        builder = secret.isEmpty() ? builder.apiSecretIsEmptyStringUnsafe() : builder.apiSecret(secret);
        return builder.build(new DefaultApi20() {
            @Override
            public String getAccessTokenEndpoint() {
                return Fob.of("token_endpoint");
            }

            @Override
            public String getRevokeTokenEndpoint() {
                return Fob.of("revocation_endpoint");
            }

            @Override
            protected String getAuthorizationBaseUrl() {
                throw new UnsupportedOperationException();
            }

            @Override
            public ClientAuthentication getClientAuthentication() {
                return by;
            }
        });
    }

    private static OAuth2AccessToken login(OAuth20Service client, String scope) throws Exception {
        return client.getAccessTokenPasswordGrant(Fob.of("username"), Fob.of("password"), scope);
    }

    private static int me(OAuth20Service client, OAuth2AccessToken token) throws Exception {
        OAuthRequest request = new OAuthRequest(Verb.GET, Fob.of("me_endpoint"));
        client.signRequest(token, request);
        return client.execute(request).getCode();
    }
}
