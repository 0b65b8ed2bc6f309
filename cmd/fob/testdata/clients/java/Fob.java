import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.util.Map;

/** What the programs have in common. $FOB is the first line of `fob serve --json`. */
final class Fob {
    private static final Map<String, Object> READY;

    static {
        try {
            READY = JSONObjectUtils.parse(System.getenv("FOB"));
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    static String of(String member) {
        return (String) READY.get(member);
    }

    static void check(boolean good, Object what) {
        if (!good) {
            throw new AssertionError(what);
        }
    }

    static void same(Object got, Object want) {
        check(want.equals(got), got + ", want " + want);
    }

    interface Call {
        void run() throws Exception;
    }

    /** refused returns what the call throws. */
    static <E extends Exception> E refused(Class<E> kind, Call call) throws Exception {
        try {
            call.run();
        } catch (Exception e) {
            check(kind.isInstance(e), e);
            return kind.cast(e);
        }
        throw new AssertionError("not refused");
    }

    private Fob() {}
}
