import java.util.Set;
import org.springframework.security.oauth2.client.endpoint.OAuth2ClientCredentialsGrantRequest;
import org.springframework.security.oauth2.client.endpoint.OAuth2RefreshTokenGrantRequest;
import org.springframework.security.oauth2.client.endpoint.RestClientClientCredentialsTokenResponseClient;
import org.springframework.security.oauth2.client.endpoint.RestClientRefreshTokenTokenResponseClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.ClientRegistrations;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.ClientAuthenticationMethod;
import org.springframework.security.oauth2.core.OAuth2AuthorizationException;
import org.springframework.security.oauth2.core.endpoint.OAuth2AccessTokenResponse;

/**
 * Spring Security's OAuth 2.0 client as its users configure it. It has no revocation, and
 * since version 7 no password grant: a customizer makes one of another grant's request.
 */
final class Spring {
    public static void main(String[] args) throws Exception {
        for (ClientAuthenticationMethod by : new ClientAuthenticationMethod[] {
                ClientAuthenticationMethod.CLIENT_SECRET_BASIC, ClientAuthenticationMethod.CLIENT_SECRET_POST}) {
            OAuth2AccessTokenResponse own = own(by, "read", "device_nightly");
            Fob.same(own.getAccessToken().getScopes(), Set.of("read", "device_nightly"));
            Fob.same(value(own(by, "device_nightly", "read")), value(own));
            Fob.check(!value(own(by, "read", "device_daily")).equals(value(own)), "two devices, one token");

            OAuth2AccessTokenResponse ipad = login(by, "read", "device_ipad");
            Fob.same(value(login(by, "device_ipad", "read")), value(ipad));
            OAuth2AccessTokenResponse refreshed = new RestClientRefreshTokenTokenResponseClient().getTokenResponse(
                    new OAuth2RefreshTokenGrantRequest(registration(by, AuthorizationGrantType.REFRESH_TOKEN), ipad.getAccessToken(), ipad.getRefreshToken()));
            Fob.same(value(refreshed), value(ipad)); // it is young
        }
        OAuth2AuthorizationException refused = Fob.refused(OAuth2AuthorizationException.class, () -> own(ClientAuthenticationMethod.CLIENT_SECRET_BASIC, "admin"));
        Fob.same(refused.getError().getErrorCode(), "invalid_scope");
    }

    private static OAuth2AccessTokenResponse own(ClientAuthenticationMethod by, String... scopes) {
        return new RestClientClientCredentialsTokenResponseClient()
                .getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration(by, AuthorizationGrantType.CLIENT_CREDENTIALS, scopes)));
    }

    private static OAuth2AccessTokenResponse login(ClientAuthenticationMethod by, String... scopes) {
        RestClientClientCredentialsTokenResponseClient client = new RestClientClientCredentialsTokenResponseClient();
        client.setParametersCustomizer(form -> {
            form.set("grant_type", "password");
            form.set("username", Fob.of("username"));
            form.set("password", Fob.of("password"));
        });
        return client.getTokenResponse(new OAuth2ClientCredentialsGrantRequest(registration(by, AuthorizationGrantType.CLIENT_CREDENTIALS, scopes)));
    }

    private static ClientRegistration registration(ClientAuthenticationMethod by, AuthorizationGrantType grant, String... scopes) {
        return ClientRegistrations.fromIssuerLocation(Fob.of("issuer")).clientId(Fob.of("client_id")).clientSecret(Fob.of("client_secret"))
                .clientAuthenticationMethod(by).authorizationGrantType(grant).scope(scopes).build();
    }

    private static String value(OAuth2AccessTokenResponse answer) {
        return answer.getAccessToken().getTokenValue();
    }

    private Spring() {}
}
