import CBPF
import Netlink
import Testing

@testable import BPFDataPlane

@Suite struct ProgramTests {
    @Test func programsAndMapsOfAnObject() throws {
        let object = try Trial.load()
        #expect(Set(object.programs.map(\.name)) == ["trial_ingress", "trial_egress"])
        #expect(Set(object.maps.map(\.name)) == ["trial_counter", "trial_setting"])
        let ingress = try #require(object.program(named: "trial_ingress"))
        #expect(ingress.id > 0 && ingress.tag.count == 8 && ingress.fileDescriptor >= 0)
        let counter = try #require(object.map(named: "trial_counter"))
        #expect(ingress.mapIDs == [counter.id])
        #expect(counter.layout.keySize == 4 && counter.layout.valueSize == 16 && counter.layout.capacity == 4096)
        #expect(object.program(named: "other") == nil && object.map(named: "other") == nil)
    }

    @Test func aSecondLoadGoesOnWithTheMapsOfTheFirst() throws {
        let first = try Trial.load()
        let setting = try BPFMap<UInt32, UInt64>(#require(first.map(named: "trial_setting")))
        try setting.set(7, for: 1)
        let second = try Trial.load(reusing: first.maps)
        #expect(Set(second.maps.map(\.id)) == Set(first.maps.map(\.id)))
        #expect(Set(second.programs.map(\.id)).isDisjoint(with: first.programs.map(\.id)))
        #expect(Set(second.programs.map(\.tag)) == Set(first.programs.map(\.tag)))
        let again = try BPFMap<UInt32, UInt64>(#require(second.map(named: "trial_setting")))
        #expect(try again.value(of: 1) == 7)
        // One of them alone, and the other made anew.
        let third = try Trial.load(reusing: [setting.map])
        #expect(third.map(named: "trial_setting")?.id == setting.map.id)
        #expect(third.map(named: "trial_counter")?.id != first.map(named: "trial_counter")?.id)
        let fresh = try Trial.load()
        #expect(Set(fresh.maps.map(\.id)).isDisjoint(with: first.maps.map(\.id)))
    }

    @Test func aProgramIsFoundByItsNumberWithItsMaps() throws {
        let object = try Trial.load()
        let egress = try #require(object.program(named: "trial_egress"))
        let found = try LoadedProgram(id: egress.id)
        #expect(found.name == egress.name && found.tag == egress.tag && found.mapIDs == egress.mapIDs)
        let maps = try found.maps()
        #expect(Set(maps.map(\.name)) == ["trial_counter", "trial_setting"])
        for map in maps { #expect(map.layout == object.map(named: map.name)?.layout) }
    }

    /// Nothing is pinned: what nobody holds is gone.
    @Test func aProgramGoesWithItsLastHolder() throws {
        let id = try #require(try Trial.load().programs.first).id
        let error = #expect(throws: BPFError.self) { _ = try LoadedProgram(id: id) }
        #expect(error?.code == .noSuchEntry)
    }

    @Test func aMapOfAnotherLayoutIsRefused() throws {
        let number = try calling("create a map") {
            bpf_map_create(BPF_MAP_TYPE_HASH, "trial_setting", 4, 16, 4096, nil)
        }
        let wrong = try LoadedMap(Descriptor(number))
        let error = #expect(throws: BPFError.self) { try Trial.load(reusing: [wrong]) }
        #expect(error?.code == .invalid)
        #expect(error?.operation == "go on with map trial_setting")
        #expect(error?.log.contains("values of 16 bytes") == true && error?.log.contains("values of 8 bytes") == true)
    }

    @Test func theVerifierIsQuoted() throws {
        let error = #expect(throws: BPFError.self) {
            _ = try ProgramObject(loading: Trial.rejected, name: "rejected")
        }
        #expect(error?.code == .invalid)
        #expect(error?.operation == "load object rejected")
        #expect(error?.log.contains("60000") == true)
        #expect(error?.log.contains("BEGIN PROG LOAD LOG") == false)
        #expect(error?.description.hasPrefix("load object rejected: EINVAL (Invalid argument); ") == true)
    }

    @Test(arguments: [0, 1, 64, 1000])
    func whatIsNoObjectIsRefused(_ length: Int) throws {
        let error = #expect(throws: BPFError.self) {
            _ = try ProgramObject(loading: Array(Trial.image.prefix(length)), name: "cut")
        }
        #expect(error?.operation == "open object cut")
        #expect(error?.description.contains("(") == true)
    }
}
