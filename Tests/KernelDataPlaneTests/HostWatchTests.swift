import Synchronization
import Testing

@testable import KernelDataPlane

@Suite struct HostWatchTests {
    private final class Count: Sendable {
        let value = Atomic(0)
    }

    /// The last look costs what the first did: without that these would take hours.
    @Test(.timeLimit(.minutes(1))) func takingNotesStaysAsCheapAsItWas() {
        let watch = HostWatch()
        let asked = Count()
        watch.onTaking { asked.value.add(1, ordering: .relaxed) }
        for _ in 0..<200_000 { _ = watch.takeNotes() }
        #expect(asked.value.load(ordering: .relaxed) == 200_000)
    }
}
