import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hc.client5.http.classic.methods.HttpGet;
import org.apache.hc.client5.http.classic.methods.HttpPost;
import org.apache.hc.client5.http.entity.UrlEncodedFormEntity;
import org.apache.hc.client5.http.impl.classic.CloseableHttpClient;
import org.apache.hc.client5.http.impl.classic.HttpClients;
import org.apache.hc.core5.http.ClassicHttpRequest;
import org.apache.hc.core5.http.NameValuePair;
import org.apache.hc.core5.http.io.entity.EntityUtils;
import org.apache.hc.core5.http.message.BasicNameValuePair;

/** Apache HttpClient, as people write a client by hand: its forms name the charset ISO-8859-1. */
final class Apache {
    private static final CloseableHttpClient HTTP = HttpClients.createDefault();

    record Answer(int status, Map<String, Object> body) {
        String text(String member) {
            return (String) body.get(member);
        }
    }

    public static void main(String[] args) throws Exception {
        Answer ipad = login("device_ipad read");
        Fob.same(ipad.text("scope"), "read device_ipad");
        Fob.same(login("read device_ipad").text("access_token"), ipad.text("access_token"));
        Answer iphone = login("read device_iphone");
        Fob.check(!iphone.text("access_token").equals(ipad.text("access_token")), "two devices, one token");

        Answer young = token("grant_type", "refresh_token", "refresh_token", ipad.text("refresh_token"));
        Fob.same(young.text("access_token"), ipad.text("access_token"));
        Fob.same(introspect(ipad).body.get("active"), true);
        Fob.same(post("revocation_endpoint", "client", "token", ipad.text("access_token")).status, 200);
        Fob.same(introspect(ipad).body, Map.of("active", false));
        Fob.same(introspect(iphone).body.get("active"), true);
        Answer ended = token("grant_type", "refresh_token", "refresh_token", ipad.text("refresh_token"));
        Fob.same(ended.status + " " + ended.text("error"), "400 invalid_grant");

        HttpGet me = new HttpGet(Fob.of("me_endpoint"));
        me.setHeader("Authorization", "Bearer " + iphone.text("access_token"));
        Fob.same(send(me).text("device"), "iphone");
        HTTP.close();
    }

    private static Answer login(String scope) throws Exception {
        return token("grant_type", "password", "username", Fob.of("username"), "password", Fob.of("password"), "scope", scope);
    }

    private static Answer token(String... form) throws Exception {
        return post("token_endpoint", "client", form);
    }

    private static Answer introspect(Answer login) throws Exception {
        return post("introspection_endpoint", "resource_client", "token", login.text("access_token"));
    }

    private static Answer post(String endpoint, String client, String... form) throws Exception {
        List<NameValuePair> pairs = new ArrayList<>();
        for (int i = 0; i < form.length; i += 2) {
            pairs.add(new BasicNameValuePair(form[i], form[i + 1]));
        }
        pairs.add(new BasicNameValuePair("client_id", Fob.of(client + "_id")));
        pairs.add(new BasicNameValuePair("client_secret", Fob.of(client + "_secret")));
        HttpPost request = new HttpPost(Fob.of(endpoint));
        request.setEntity(new UrlEncodedFormEntity(pairs));
        Fob.check(request.getEntity().getContentType().contains("ISO-8859-1"), request.getEntity().getContentType());
        return send(request);
    }

    private static Answer send(ClassicHttpRequest request) throws Exception {
        return HTTP.execute(request, response -> {
            try {
                return new Answer(response.getCode(), JSONObjectUtils.parse(EntityUtils.toString(response.getEntity())));
            } catch (com.nimbusds.oauth2.sdk.ParseException e) {
                throw new java.io.IOException(e);
            }
        });
    }
}
