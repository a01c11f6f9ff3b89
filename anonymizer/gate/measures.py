"""Attributes without which a picture, an uptake, a segmentation or a plan is another one: never a dummy, never gone.

What shapes pictures themselves is in :mod:`anonymizer.gate.pixels`.
"""

from __future__ import annotations

MEASURES = frozenset(
    {
        0x00080005,  # SpecificCharacterSet: without it every text reads as another
        # PS3.3 C.8.9: what an uptake value is made of, besides times and weight
        0x00181074,  # RadionuclideTotalDose
        0x00181075,  # RadionuclideHalfLife
        0x00181076,  # RadionuclidePositronFraction
        0x00181242,  # ActualFrameDuration
        0x00541001,  # Units
        0x00541102,  # DecayCorrection
        0x00541300,  # FrameReferenceTime
        0x00541321,  # DecayFactor
        0x00541322,  # DoseCalibrationFactor
        # PS3.3 C.7.6.16, C.11: frames and grey values
        0x00180088,  # SpacingBetweenSlices
        0x00209157,  # DimensionIndexValues
        0x00281050,  # WindowCenter
        0x00281051,  # WindowWidth
        0x00409224,  # RealWorldValueIntercept
        0x00409225,  # RealWorldValueSlope
        # PS3.3 C.8.20: segments
        0x00620004,  # SegmentNumber
        0x0062000B,  # ReferencedSegmentNumber
        # PS3.3 C.8.8, C.20.2: structures, doses, beams, registrations
        0x30020012,  # RTImagePosition
        0x30040002,  # DoseUnits
        0x3004000C,  # GridFrameOffsetVector
        0x3004000E,  # DoseGridScaling
        0x30040058,  # DVHData
        0x30060022,  # ROINumber
        0x30060042,  # ContourGeometricType
        0x30060045,  # ContourOffsetVector
        0x30060046,  # NumberOfContourPoints
        0x30060050,  # ContourData
        0x30060082,  # ObservationNumber
        0x30060084,  # ReferencedROINumber
        0x300600C6,  # FrameOfReferenceTransformationMatrix
        0x300A0071,  # FractionGroupNumber
        0x300A0078,  # NumberOfFractionsPlanned
        0x300A0084,  # BeamDose
        0x300A0086,  # BeamMeterset
        0x300A00B4,  # SourceAxisDistance
        0x300A00C0,  # BeamNumber
        0x300A0114,  # NominalBeamEnergy
        0x300A011C,  # LeafJawPositions
        0x300A011E,  # GantryAngle
        0x300A0120,  # BeamLimitingDeviceAngle
        0x300A0122,  # PatientSupportAngle
        0x300A0125,  # TableTopEccentricAngle
        0x300A0128,  # TableTopVerticalPosition
        0x300A012C,  # IsocenterPosition
        0x300A0134,  # CumulativeMetersetWeight
        0x300C0006,  # ReferencedBeamNumber
        0x300C0022,  # ReferencedFractionGroupNumber
    }
)

WHOLE = frozenset(
    {
        0x00209111,  # FrameContentSequence
        0x00209113,  # PlanePositionSequence
        0x00209116,  # PlaneOrientationSequence
        0x00283000,  # ModalityLUTSequence
        0x00283010,  # VOILUTSequence
        0x00289110,  # PixelMeasuresSequence
        0x00289132,  # FrameVOILUTSequence
        0x00289145,  # PixelValueTransformationSequence
        0x00409096,  # RealWorldValueMappingSequence
        0x00540016,  # RadiopharmaceuticalInformationSequence
        0x00620002,  # SegmentSequence
        0x0062000A,  # SegmentIdentificationSequence
        0x00700308,  # RegistrationSequence
        0x00700309,  # MatrixRegistrationSequence
        0x0070030A,  # MatrixSequence
        0x30040050,  # DVHSequence
        0x30060020,  # StructureSetROISequence
        0x30060039,  # ROIContourSequence
        0x30060040,  # ContourSequence
        0x30060080,  # RTROIObservationsSequence
        0x300A0070,  # FractionGroupSequence
        0x300A00B0,  # BeamSequence
        0x300A00B6,  # BeamLimitingDeviceSequence
        0x300A0111,  # ControlPointSequence
        0x300A011A,  # BeamLimitingDevicePositionSequence
        0x300C0004,  # ReferencedBeamSequence
        0x52009229,  # SharedFunctionalGroupsSequence
        0x52009230,  # PerFrameFunctionalGroupsSequence
    }
)
"""Sequences that hold them, which keep their items."""
