import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import software.amazon.event.ruler.Machine;

/**
 * Says how many events AWS's own matcher decides in a second of CPU time, for pattern_matching.py.
 *
 * <p>Arguments: a file with an event, a file with a pattern, and the milliseconds of CPU time to measure for, after as
 * many to warm up. Prints whether the event matches, the rate for JSON text, and the rate for an event that is parsed beforehand.
 */
public final class EventRuler {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private interface Matching {
        boolean matches() throws Exception;
    }

    public static void main(final String[] arguments) throws Exception {
        final String event = read(arguments[0]);
        final Machine machine = Machine.builder().build();
        machine.addRule("rule", read(arguments[1]));
        final JsonNode decoded = new ObjectMapper().readTree(event);
        final long milliseconds = Long.parseLong(arguments[2]);
        System.out.printf(
                "%b %.0f %.0f%n",
                !machine.rulesForJSONEvent(event).isEmpty(),
                rate(() -> !machine.rulesForJSONEvent(event).isEmpty(), milliseconds),
                rate(() -> !machine.rulesForJSONEvent(decoded).isEmpty(), milliseconds));
    }

    private static double rate(final Matching matching, final long milliseconds) throws Exception {
        run(matching, milliseconds);
        return run(matching, milliseconds);
    }

    private static double run(final Matching matching, final long milliseconds) throws Exception {
        final long began = THREADS.getCurrentThreadCpuTime();
        final long ends = began + milliseconds * 1_000_000;
        long matched = 0;
        long events = 0;
        while (THREADS.getCurrentThreadCpuTime() < ends) {
            for (int call = 0; call < 100; call++) {
                matched += matching.matches() ? 1 : 0;
            }
            events += 100;
        }
        if (matched != 0 && matched != events) {
            throw new IllegalStateException("The event matched only sometimes");
        }
        return events * 1e9 / (THREADS.getCurrentThreadCpuTime() - began);
    }

    private static String read(final String file) throws Exception {
        return Files.readString(Path.of(file), StandardCharsets.UTF_8);
    }
}
